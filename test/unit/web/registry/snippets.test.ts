import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import type { ServerDefinition } from "../../../../src/registry/definition/definition.ts";
import { checkDefinition } from "../../../../src/registry/definition/definition.ts";
import { commandLine, installation, type Snippet } from "../../../../src/web/registry/snippets.ts";
import { XSS } from "../../../support/xss.ts";

const BASE = { name: "com.example/my.weather", description: "Tells the weather", version: "1.2.3" };

/** A file as the registry keeps it. */
function definition(parts: Record<string, unknown>): ServerDefinition {
  const checked = checkDefinition({ ...BASE, ...parts });
  if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
  return checked.definition;
}

function snippetsOf(parts: Record<string, unknown>): Record<string, Snippet> {
  const installed = installation(definition(parts));
  if (!installed) throw new Error("there is no way to install this");
  return Object.fromEntries(installed.snippets.map((snippet) => [snippet.client, snippet]));
}

const REMOTE = { remotes: [{ type: "streamable-http", url: "https://mcp.example.org/mcp" }] };
const stdio = (parts: Record<string, unknown>) => ({ packages: [{ transport: { type: "stdio" }, ...parts }] });

/** What VS Code reads out of its link. */
const vsCodeObject = ({ link }: Snippet): unknown =>
  JSON.parse(decodeURIComponent(link?.href.replace("vscode:mcp/install?", "") ?? ""));
/** What Cursor reads out of its link. */
function cursorObject({ link }: Snippet): unknown {
  const query = new URL(link?.href ?? "").searchParams;
  return [query.get("name"), JSON.parse(Buffer.from(query.get("config") ?? "", "base64").toString())];
}

describe("a server at an address", () => {
  it("is installed by four clients", () => {
    const snippets = snippetsOf(REMOTE);
    const server = { name: "my-weather", type: "http", url: "https://mcp.example.org/mcp" };
    expect(vsCodeObject(snippets["VS Code"] as Snippet)).toEqual(server);
    expect(snippets["VS Code"]?.code).toBe(`code --add-mcp '${JSON.stringify(server)}'`);
    expect(cursorObject(snippets["Cursor"] as Snippet)).toEqual(["my-weather", { url: server.url }]);
    expect(JSON.parse(snippets["Cursor"]?.code ?? "")).toEqual({ mcpServers: { "my-weather": { url: server.url } } });
    expect(snippets["Claude Code"]?.code).toBe(
      "claude mcp add --transport http my-weather https://mcp.example.org/mcp",
    );
    expect(snippets["MCP Inspector"]?.code).toBe(
      "npx @modelcontextprotocol/inspector --transport http --server-url https://mcp.example.org/mcp",
    );
  });

  it("is installed at its Streamable HTTP address, else by SSE", () => {
    const sse = { type: "sse", url: "https://mcp.example.org/sse" };
    expect(snippetsOf({ remotes: [sse, ...REMOTE.remotes] })["Claude Code"]?.code).toContain("--transport http");
    expect(snippetsOf({ remotes: [sse] })["Claude Code"]?.code).toContain("--transport sse my-weather");
  });

  it("asks for what has no value: VS Code by itself, the others by a word to replace", () => {
    const headers = [
      {
        name: "Authorization",
        value: "Bearer {token}",
        isRequired: true,
        variables: { token: { description: "Yours", isSecret: true } },
      },
      { name: "X-Region", isRequired: true, default: "eu" },
      { name: "X-Optional" },
    ];
    const parts = {
      remotes: [
        {
          type: "streamable-http",
          url: "https://{tenant}.example.org/mcp",
          headers,
          variables: { tenant: { isRequired: true } },
        },
      ],
    };
    const snippets = snippetsOf(parts);
    expect(vsCodeObject(snippets["VS Code"] as Snippet)).toEqual({
      name: "my-weather",
      type: "http",
      url: "https://${input:url_tenant}.example.org/mcp",
      headers: { Authorization: "Bearer ${input:Authorization_token}", "X-Region": "eu" },
      inputs: [
        { type: "promptString", id: "url_tenant", description: "tenant", password: false },
        { type: "promptString", id: "Authorization_token", description: "Yours", password: true },
      ],
    });
    expect(snippets["Claude Code"]?.code).toBe(
      "claude mcp add --transport http my-weather https://YOUR_URL_TENANT.example.org/mcp --header 'Authorization: Bearer YOUR_AUTHORIZATION_TOKEN' --header 'X-Region: eu'",
    );
    expect(installation(definition(parts))?.asked).toEqual([
      { placeholder: "YOUR_URL_TENANT", description: undefined, isSecret: false },
      { placeholder: "YOUR_AUTHORIZATION_TOKEN", description: "Yours", isSecret: true },
    ]);
  });
});

describe("a server that is a package", () => {
  it.each([
    [{ registryType: "npm", identifier: "@example/weather", version: "1.2.3" }, "npx -y @example/weather@1.2.3"],
    [
      {
        registryType: "npm",
        identifier: "weather",
        version: "1.2.3",
        runtimeHint: "npx",
        runtimeArguments: [{ type: "positional", value: "-y" }],
      },
      "npx -y weather@1.2.3",
    ],
    [{ registryType: "pypi", identifier: "weather", version: "1.2.3" }, "uvx weather@1.2.3"],
    [
      { registryType: "oci", identifier: "images.example.com/weather:1.2.3" },
      "docker run -i --rm images.example.com/weather:1.2.3",
    ],
    [{ registryType: "nuget", identifier: "Example.Weather", version: "1.2.3" }, "dnx Example.Weather@1.2.3 --yes"],
    [
      {
        registryType: "npm",
        identifier: "weather",
        version: "1.2.3",
        packageArguments: [
          { type: "named", name: "--unit", value: "metric" },
          { type: "named", name: "--place", isRequired: true, default: "the harbour's end" },
          { type: "named", name: "--unused" },
          { type: "positional", valueHint: "city", isRequired: true },
        ],
      },
      String.raw`npx -y weather@1.2.3 --unit metric --place 'the harbour'\''s end' YOUR_CITY`,
    ],
  ])("runs: %j", (parts, command) => {
    expect(snippetsOf(stdio(parts))["Claude Code"]?.code).toBe(
      `claude mcp add --transport stdio my-weather -- ${command}`,
    );
    expect(snippetsOf(stdio(parts))["MCP Inspector"]?.code).toBe(
      `npx @modelcontextprotocol/inspector --cli --method tools/list -- ${command}`,
    );
  });

  it("is given its environment", () => {
    const environmentVariables = [{ name: "API_KEY", isRequired: true, isSecret: true }, { name: "DEBUG" }];
    const npm = snippetsOf(
      stdio({ registryType: "npm", identifier: "weather", version: "1.2.3", environmentVariables }),
    );
    expect(npm["Claude Code"]?.code).toBe(
      "claude mcp add --env API_KEY=YOUR_API_KEY --transport stdio my-weather -- npx -y weather@1.2.3",
    );
    expect(vsCodeObject(npm["VS Code"] as Snippet)).toMatchObject({
      command: "npx",
      env: { API_KEY: "${input:API_KEY}" },
    });
    const image = snippetsOf(
      stdio({ registryType: "oci", identifier: "images.example.com/weather:1.2.3", environmentVariables }),
    );
    expect(image["Claude Code"]?.code).toContain("-- docker run -i --rm -e API_KEY images.example.com/weather:1.2.3");
  });

  it("has no snippet when no common client starts it, or there is nothing to start", () => {
    const bundle = {
      registryType: "mcpb",
      identifier: "https://github.com/example/weather/releases/download/v1/weather.mcpb",
      fileSha256: "a".repeat(64),
    };
    expect(installation(definition(stdio(bundle)))).toBeUndefined();
    expect(installation(definition({}))).toBeUndefined();
  });
});

describe("hostile text", () => {
  /** A file that was put into the table past all checks. */
  const poisoned = (text: string): ServerDefinition =>
    ({
      ...BASE,
      name: `com.example/${text}`,
      packages: [
        {
          registryType: "npm",
          identifier: text,
          version: text,
          transport: { type: "stdio" },
          packageArguments: [{ type: "named", name: text, value: text }],
          environmentVariables: [{ name: text, value: text }],
        },
      ],
    }) as ServerDefinition;

  it.each(XSS)("P07: is one word of a command, and data in a link: %j", (text) => {
    const installed = installation(poisoned(text));
    // eslint-disable-next-line no-control-regex
    const isHidden = /[\u0000-\u001f\u200b\u202e]/.test(text);
    expect(installed === undefined).toBe(isHidden);
    for (const { link } of installed?.snippets ?? [])
      if (link)
        expect(link.href).toMatch(
          /^(vscode:mcp\/install\?|cursor:\/\/anysphere\.cursor-deeplink\/mcp\/install\?)[\w%.~=&-]+$/,
        );
  });

  it("P07: reaches a shell as it is", () => {
    const words = XSS.filter((text) => !text.includes("\u0000"));
    const printed = execFileSync("/bin/sh", ["-c", commandLine(["printf", "%s\\0", ...words])]).toString();
    expect(printed.split("\0").slice(0, -1)).toEqual(words);
  });
});
