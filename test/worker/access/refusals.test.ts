import { describe, expect, it } from "vitest";
import { generateApiKey } from "../../../src/keys/token.ts";
import {
  callTool,
  newKey,
  origin,
  request,
  resetStats,
  rpc,
  stats,
  withFault,
  type RpcAnswer,
} from "../../support/gateway.ts";

const METADATA = `${origin}/.well-known/oauth-protected-resource/mcp`;

function expectRefused(answer: RpcAnswer, status: number, code: number, kind: string): void {
  expect(answer.status).toBe(status);
  expect(answer.error).toMatchObject({
    code,
    data: { code: kind, requestId: answer.response.headers.get("x-request-id") },
  });
  expect(answer.response.headers.get("cache-control")).toBe("no-store");
  expect(JSON.stringify(answer.error).length).toBeLessThan(2_000);
}

describe("credentials", () => {
  it("K02: R22: a call without a credential is told where to sign in, without an error code", async () => {
    const answer = await rpc("tools/list");
    expectRefused(answer, 401, 401, "no_credential");
    expect(answer.response.headers.get("www-authenticate")).toBe(
      `Bearer scope="mcp:tools", resource_metadata="${METADATA}"`,
    );
  });

  it("R22: the challenge of one server points at the metadata of that server", async () => {
    const answer = await rpc("tools/list", {}, { path: "/mcp/notes" });
    expect(answer.response.headers.get("www-authenticate")).toContain(`resource_metadata="${METADATA}/notes"`);
  });

  it.each([
    ["a wrong checksum", () => `${generateApiKey().slice(0, -1)}!`],
    ["a changed character", () => generateApiKey().replace(/.(.{10})$/, (_all, rest: string) => `0${rest}`)],
    ["another type", () => generateApiKey().replace("live", "prod")],
    ["64 KB of text", () => `mrg_live_${"a".repeat(65_536)}`],
    ["the form of no key", () => "hello"],
  ])("J05: refuses a key with %s without asking Postgres or Redis", async (_what, make) => {
    const key = make();
    await resetStats();
    const answer = await callTool("echo", { text: "x" }, { key });
    expectRefused(answer, 401, 401, "invalid_credential");
    expect(answer.response.headers.get("www-authenticate")).toContain('error="invalid_token"');
    expect(await stats()).toMatchObject({ sqlRequests: 0, redisRequests: 0 });
  });

  it("refuses an unknown key, and asks Postgres for it once", async () => {
    const key = generateApiKey();
    expectRefused(await callTool("echo", { text: "x" }, { key }), 401, 401, "invalid_credential");
    await resetStats();
    expectRefused(await callTool("echo", { text: "x" }, { key }), 401, 401, "invalid_credential");
    expect(await stats()).toMatchObject({ sqlRequests: 0, redisRequests: 1 });
  });

  it("J07: refuses disabled and expired keys with the words for an unknown one", async () => {
    const unknown = await callTool("echo", { text: "x" }, { key: generateApiKey() });
    const disabled = await newKey({ enabled: false });
    const expired = await newKey({ expiresAt: new Date(Date.now() - 1_000) });
    for (const { key } of [disabled, expired]) {
      const answer = await callTool("echo", { text: "x" }, { key });
      expectRefused(answer, 401, 401, "invalid_credential");
      expect(answer.error?.message).toBe(unknown.error?.message);
    }
  });

  it("J04: refuses two credentials, and a key given twice", async () => {
    const { key } = await newKey();
    const both = await callTool("echo", { text: "x" }, { key, token: "abc" });
    expectRefused(both, 400, -32600, "several_credentials");
    const twice = await callTool("echo", { text: "x" }, { key: `${key}, ${key}` });
    expectRefused(twice, 400, -32600, "several_credentials");
  });

  it.each(["access_token", "api_key", "x-api-key"])(
    "K04: refuses a credential in the query parameter %s",
    async (name) => {
      const { key } = await newKey();
      const answer = await callTool("echo", { text: "x" }, { key, path: `/mcp?${name}=${key}` });
      expectRefused(answer, 401, 401, "credential_in_url");
      expect(JSON.stringify(answer.error)).not.toContain(key);
    },
  );

  it.each(["", "Basic dXNlcjpwYXNz", "Bearer", "Bearer a b", `Bearer ${"a".repeat(9_000)}`])(
    "refuses the authorization header %j",
    async (authorization) => {
      const answer = await callTool("echo", { text: "x" }, { headers: { authorization } });
      expect(answer.status).toBe(401);
    },
  );

  it("K03: names the scope that a call lacks", async () => {
    const { key } = await newKey({ scopes: ["audit:read"] });
    const answer = await rpc("resources/list", {}, { key });
    expectRefused(answer, 403, 403, "insufficient_scope");
    expect(answer.response.headers.get("www-authenticate")).toContain('error="insufficient_scope"');
    expect(answer.response.headers.get("www-authenticate")).toContain('scope="mcp-registry:read"');
    expectRefused(await rpc("tools/list", {}, { key }), 403, 403, "insufficient_scope");
  });

  it("fails closed with 503 when a key can be looked up nowhere", async () => {
    const { key } = await newKey();
    await withFault({ upstash: { mode: "down" }, neon: { mode: "down" } }, async () => {
      const answer = await callTool("echo", { text: "x" }, { key });
      expectRefused(answer, 503, -32603, "unavailable");
      expect(answer.response.headers.get("retry-after")).toBe("2");
    });
  });
});

describe("messages", () => {
  it.each(["https://evil.example.com", "null", "http://localhost.evil.example.com", "http://evil.example.com:8787"])(
    "K23: refuses requests from the web origin %s and does not let it read the answer",
    async (foreign) => {
      const { key } = await newKey();
      const answer = await callTool("echo", { text: "x" }, { key, headers: { origin: foreign } });
      expectRefused(answer, 403, -32600, "foreign_origin");
      expect(answer.response.headers.get("access-control-allow-origin")).toBeNull();
      const preflight = await request("/mcp", { method: "OPTIONS", headers: { origin: foreign } });
      expect(preflight.status).toBe(403);
    },
  );

  it.each(["GET", "PUT", "DELETE", "HEAD"])("K06: answers %s with 405 and names the method to use", async (method) => {
    const { key } = await newKey();
    const answer = await request("/mcp", { method, headers: { "x-api-key": key } });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("POST, OPTIONS");
  });

  it.each([{}, { "x-api-key": `${generateApiKey().slice(0, -1)}!` }, { authorization: "Bearer abc" }])(
    "K06: answers a GET with %j by the refusal of the credential, which is what keeps the client out",
    async (headers) => {
      const answer = await request("/mcp", { headers });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toContain("resource_metadata=");
    },
  );

  it.each(["text/plain", "multipart/form-data; boundary=x", "application/jsonp"])(
    "K07: refuses the content type %s",
    async (contentType) => {
      const { key } = await newKey();
      const answer = await callTool("echo", { text: "x" }, { key, headers: { "content-type": contentType } });
      expectRefused(answer, 415, -32600, "unsupported_media_type");
    },
  );

  it.each([
    ["nothing", ""],
    ["half an object", '{"jsonrpc":"2.0"'],
    ["trailing text", '{"jsonrpc":"2.0","id":1,"method":"ping"} x'],
    ["a byte order mark", "\ufeff{}"],
    ["invalid UTF-8", new Uint8Array([0x22, 0xff, 0x22])],
  ])("K08: refuses %s as malformed JSON", async (_what, body) => {
    const { key } = await newKey();
    expectRefused(await rpc("", {}, { key, body }), 400, -32700, "malformed_json");
  });

  it.each([
    ["an empty batch", []],
    ["a batch", [{ jsonrpc: "2.0", id: 1, method: "ping" }]],
    ["a response", { jsonrpc: "2.0", id: 1, result: {} }],
    ["a number", 7],
    ["another JSON-RPC version", { jsonrpc: "1.0", id: 1, method: "ping" }],
    ["an object as id", { jsonrpc: "2.0", id: {}, method: "ping" }],
    ["parameters in a list", { jsonrpc: "2.0", id: 1, method: "ping", params: [1] }],
  ])("K09: refuses %s", async (_what, message) => {
    const { key } = await newKey();
    expectRefused(await rpc("", {}, { key, body: JSON.stringify(message) }), 400, -32600, "not_a_single_message");
  });

  it("K18: refuses a body over the limit, whatever its length header says", async () => {
    const { key } = await newKey();
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping", params: { x: "a".repeat(1_100_000) } });
    expectRefused(await rpc("", {}, { key, body }), 413, -32600, "too_large");
    const streamed = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(body));
        controller.close();
      },
    });
    expectRefused(await rpc("", {}, { key, body: streamed }), 413, -32600, "too_large");
  });

  it("K18: takes deep and strange JSON as data and pollutes nothing", async () => {
    const { key } = await newKey();
    const deep = `${"[".repeat(10_000)}${"]".repeat(10_000)}`;
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x","__proto__":{"polluted":1},"deep":${deep}}}}`;
    const answer = await rpc("", {}, { key, body });
    expect([200, 400]).toContain(answer.status);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it("K12: decides on the body, not on the mirrored headers", async () => {
    const { key } = await newKey({ scopes: ["mcp-registry:read"] });
    const answer = await callTool("echo", { text: "x" }, { key, headers: { "mcp-name": "search_servers" } });
    expectRefused(answer, 403, 403, "insufficient_scope");
  });

  it("K19: ignores session ids and event ids", async () => {
    const { key } = await newKey();
    const headers = { "mcp-session-id": "abc", "last-event-id": "7" };
    const answer = await callTool("echo", { text: "x" }, { key, headers });
    expect(answer.result?.structuredContent).toEqual({ text: "x" });
    expect(answer.response.headers.get("mcp-session-id")).toBeNull();
  });

  it("answers an unknown tool and an unknown server alike, whoever has one of that name", async () => {
    const { key } = await newKey();
    const tool = await callTool("no_such_tool", {}, { key });
    expect(tool.error).toMatchObject({ code: -32602, data: { code: "unknown_tool" } });
    const prefixed = await callTool("notes__notes_list", {}, { key });
    expect(prefixed.error).toMatchObject({ code: -32602, data: { code: "unknown_tool" } });
    const server = await rpc("tools/list", {}, { key, path: "/mcp/notes" });
    const nobodys = await rpc("tools/list", {}, { key, path: "/mcp/nobodys" });
    expect(server.error?.code).toBe(-32602);
    expect(server.error?.message).toBe(nobodys.error?.message);
  });

  it.each(["authorize", "UPPER", "a_b", "waytoolongforaslug0"])(
    "does not serve the reserved or ill-formed slug %s",
    async (slug) => {
      const { key } = await newKey();
      const answer = await request(`/mcp/${slug}`, { method: "PUT", headers: { "x-api-key": key } });
      expect([404, 405]).toContain(answer.status);
    },
  );
});
