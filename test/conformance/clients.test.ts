import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as OldTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { UnauthorizedError as OldUnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { describe, expect, inject, it } from "vitest";
import { authorize, formBrowser } from "../../dev/form-browser.ts";
import { memoryOAuthClient } from "../../dev/oauth-client.ts";

const system = inject("system");
const REDIRECT = "http://127.0.0.1:43117/callback";

/** Signs in at the first authorization and stays signed in, as people do. */
const person = formBrowser(system.url);

/** The two calls that each client must manage: a tool of this gateway and one of an upstream. */
const CALLS = [
  { name: "echo", arguments: { text: "hello" } },
  { name: "everything__add", arguments: { a: 2, b: 3 } },
];

describe("MCP SDK version 2", () => {
  it.each(["2026-07-28", "legacy"] as const)("R17: signs in with OAuth and calls tools, speaking %s", async (era) => {
    const provider = memoryOAuthClient({ name: `SDK 2 (${era})`, redirectUrl: REDIRECT });
    const client = () =>
      new Client(
        { name: "test", version: "1" },
        { versionNegotiation: { mode: era === "legacy" ? "legacy" : { pin: "2026-07-28" } } },
      );
    const transport = () => new StreamableHTTPClientTransport(new URL(system.mcp), { authProvider: provider });
    const first = transport();
    await expect(client().connect(first)).rejects.toThrow(UnauthorizedError);
    const answer = await authorize(person, provider.authorizationUrl(), system.user);
    expect(answer.searchParams.get("iss")).toBe(system.url);
    await first.finishAuth(answer.searchParams);
    expect(provider.current()).toMatchObject({ token_type: "Bearer", scope: expect.stringContaining("mcp:tools") });

    const connected = client();
    await connected.connect(transport());
    const { tools } = await connected.listTools();
    expect(tools.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["echo", "whoami", "everything__add", "notes__notes_list"]),
    );
    expect(await connected.callTool(CALLS[0] as never)).toMatchObject({ structuredContent: { text: "hello" } });
    expect(await connected.callTool(CALLS[1] as never)).toMatchObject({ structuredContent: { sum: 5 } });
    const whoami = await connected.callTool({ name: "whoami", arguments: {} });
    expect(whoami.structuredContent).toMatchObject({ tenantId: "personal-demo-user", credential: "access_token" });
    await connected.close();
  });

  it("R8: calls the same tools with an API key", async () => {
    const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } });
    const requestInit = { headers: { "x-api-key": system.apiKey } };
    await client.connect(new StreamableHTTPClientTransport(new URL(system.mcp), { requestInit }));
    expect(await client.callTool(CALLS[0] as never)).toMatchObject({ structuredContent: { text: "hello" } });
    expect(await client.callTool(CALLS[1] as never)).toMatchObject({ structuredContent: { sum: 5 } });
    await client.close();
  });
});

describe("MCP SDK version 1", () => {
  it("R17: signs in with OAuth and calls tools, speaking 2025-11-25", async () => {
    const provider = memoryOAuthClient({ name: "SDK 1", redirectUrl: REDIRECT });
    const transport = () => new OldTransport(new URL(system.mcp), { authProvider: provider });
    const first = transport();
    await expect(new OldClient({ name: "test", version: "1" }).connect(first)).rejects.toThrow(OldUnauthorizedError);
    const answer = await authorize(person, provider.authorizationUrl(), system.user);
    await first.finishAuth(answer.searchParams.get("code") ?? "");

    const client = new OldClient({ name: "test", version: "1" });
    await client.connect(transport());
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(["echo", "everything__add"]));
    expect(await client.callTool(CALLS[0] as never)).toMatchObject({ structuredContent: { text: "hello" } });
    expect(await client.callTool(CALLS[1] as never)).toMatchObject({ structuredContent: { sum: 5 } });
    await client.close();
  });
});

describe("a denied authorization", () => {
  it("B06: brings the client back with access_denied, its state and the issuer", async () => {
    const provider = memoryOAuthClient({ name: "Denied", redirectUrl: REDIRECT });
    const transport = new StreamableHTTPClientTransport(new URL(system.mcp), { authProvider: provider });
    await expect(new Client({ name: "test", version: "1" }).connect(transport)).rejects.toThrow(UnauthorizedError);
    const answer = await authorize(person, provider.authorizationUrl(), system.user, "deny");
    expect(Object.fromEntries(answer.searchParams)).toMatchObject({
      error: "access_denied",
      iss: system.url,
      state: provider.authorizationUrl().searchParams.get("state"),
    });
  });
});
