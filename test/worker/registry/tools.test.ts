import { describe, expect, it } from "vitest";
import { addUpstream, callTool, newKey, rpc, upstreams } from "../../support/gateway.ts";
import { addServer, newRegistry } from "../../support/registry.ts";

const npm = { registryType: "npm", identifier: "example", version: "1.0.0", transport: { type: "stdio" } };

async function tenant() {
  const { tenantId, key } = await newRegistry();
  await addUpstream(tenantId, "weather", upstreams.everything);
  await addServer({
    tenantId,
    name: "com.example/weather",
    gatewaySlug: "weather",
    versions: [{ definition: { title: "Weather" } }],
  });
  await addServer({
    tenantId,
    name: "com.example/github",
    versions: [
      { version: "1.0.0" },
      { version: "1.1.0", status: "deprecated", statusMessage: "Use 2.", definition: { packages: [npm] } },
    ],
  });
  return { tenantId, key };
}

const resultOf = async (tool: string, args: Record<string, unknown>, key: string) =>
  (await callTool(tool, args, { key })).result?.structuredContent;

describe("search_servers", () => {
  it("R19: finds servers behind the gateway and in the registry, mistyped ones too", async () => {
    const { key } = await tenant();
    expect(await resultOf("search_servers", { query: "weather" }, key)).toEqual({
      servers: [{ slug: "weather", name: "weather", description: "", toolPrefix: "weather__" }],
      registry: [
        {
          name: "com.example/weather",
          title: "Weather",
          description: "The server com.example/weather",
          version: "1.0.0",
          status: "active",
          transports: ["streamable-http"],
          packageTypes: [],
          slug: "weather",
        },
      ],
    });
    expect(await resultOf("search_servers", { query: "githb" }, key)).toMatchObject({
      servers: [],
      registry: [{ name: "com.example/github", version: "1.1.0", transports: ["stdio"], packageTypes: ["npm"] }],
    });
  });

  it.each([
    [{ transport: "stdio" }, ["com.example/github"]],
    [{ packageType: "oci" }, []],
    [{ status: "active" }, ["com.example/weather"]],
    [{ limit: 1 }, ["com.example/github"]],
  ])("narrowed by %j has %j of the registry", async (args, names) => {
    const { key } = await tenant();
    const found = (await resultOf("search_servers", args, key)) as { registry: { name: string }[] };
    expect(found.registry.map(({ name }) => name)).toEqual(names);
  });

  it("O02: finds nothing of another tenant", async () => {
    await tenant();
    const { key } = await newRegistry();
    expect(await resultOf("search_servers", { query: "weather" }, key)).toEqual({ servers: [], registry: [] });
  });
});

describe("get_server", () => {
  it("R19: shows how to reach a server and what the registry says of it", async () => {
    const { key } = await tenant();
    expect(await resultOf("get_server", { name: "com.example/weather" }, key)).toMatchObject({
      found: true,
      server: {
        name: "com.example/weather",
        remotes: [{ type: "streamable-http", url: "http://localhost:8787/mcp/weather" }],
      },
      status: { status: "active", isLatest: true },
    });
    expect(await resultOf("get_server", { name: "com.example/github", version: "1.0.0" }, key)).toMatchObject({
      found: true,
      server: { version: "1.0.0" },
      status: { isLatest: false },
    });
  });

  it("says that there is none for one that is unknown, or another tenant's", async () => {
    const { key } = await newRegistry();
    await tenant();
    for (const name of ["com.example/weather", "nothing", "%", "com.example/\u0000"])
      expect(await resultOf("get_server", { name }, key)).toEqual({ found: false, server: null, status: null });
  });

  it("needs no scope but that of tools: it reads the registry of the caller's own organization", async () => {
    const { key } = await newKey({ scopes: ["mcp:tools"] });
    expect((await callTool("get_server", { name: "com.example/weather" }, { key })).status).toBe(200);
  });
});

describe("the registry as MCP resources", () => {
  const list = (key: string, params = {}) => rpc("resources/list", params, { key });
  const read = (key: string, uri: string) => rpc("resources/read", { uri }, { key });

  it("R19: lists each server once, and reads its latest or another version", async () => {
    const { key } = await tenant();
    const { result } = await list(key);
    const uris = ((result?.["resources"] ?? []) as { uri: string }[]).map(({ uri }) => uri);
    expect(uris).toEqual([
      "registry://servers/com.example%2Fgithub/latest",
      "registry://servers/com.example%2Fweather/latest",
    ]);
    const texts = await Promise.all(
      [uris[0] ?? "", "registry://servers/com.example%2Fgithub/1.0.0"].map(async (uri) => {
        const answer = await read(key, uri);
        const [content] = (answer.result?.["contents"] ?? []) as { text: string }[];
        return (JSON.parse(content?.text ?? "") as { server: { version: string } }).server.version;
      }),
    );
    expect(texts).toEqual(["1.1.0", "1.0.0"]);
  });

  it.each([
    "registry://servers/com.example%2Fnothing/latest",
    "registry://servers/com.example%2Fgithub/9.9.9",
    "registry://servers/%00/latest",
    "registry://servers/%zz/latest",
    "registry://servers/com.example/github/latest",
    "file:///etc/passwd",
  ])("P08: knows no resource %s", async (uri) => {
    const { key } = await tenant();
    expect((await read(key, uri)).error).toMatchObject({ code: -32602, data: { code: "unknown_resource" } });
  });

  it("P08: refuses a cursor that is none", async () => {
    const { key } = await tenant();
    expect((await list(key, { cursor: "x" })).error?.code).toBe(-32602);
  });

  it("N06: shows nothing of other tenants", async () => {
    await tenant();
    const { key } = await newRegistry();
    expect((await list(key)).result?.["resources"]).toEqual([]);
    const answer = await read(key, "registry://servers/com.example%2Fgithub/latest");
    expect(answer.error).toMatchObject({ data: { code: "unknown_resource" } });
  });

  it("K03: is for who may read the registry, and announced to nobody else", async () => {
    const { key } = await newKey({ scopes: ["mcp:tools"] });
    expect((await list(key)).status).toBe(403);
    const hello = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } };
    const { result } = await rpc("initialize", hello, { key });
    expect(result?.["capabilities"]).toEqual({ tools: {} });
  });
});
