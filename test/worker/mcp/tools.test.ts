import { describe, expect, it } from "vitest";
import { addUpstream, callTool, newKey, request, rpc, upstreams } from "../../support/gateway.ts";
import { BUILTIN_TOOLS } from "../../../src/upstreams/builtin/tools.ts";
import type { Scope } from "../../../src/identity/scopes.ts";
import { keyWith } from "../../support/admission.ts";

describe("built-in tools", () => {
  it("R22: echo returns the text that it is given", async () => {
    const { key } = await newKey();
    const answer = await callTool("echo", { text: "hello" }, { key });
    expect(answer.result).toMatchObject({ content: [{ type: "text" }], structuredContent: { text: "hello" } });
  });

  it("R7: whoami shows the user context that came from the API key", async () => {
    const { key, userId } = await newKey({ scopes: ["mcp:tools", "audit:read"] });
    const answer = await callTool("whoami", {}, { key });
    expect(answer.result?.structuredContent).toEqual({
      userId,
      tenantId: `personal-${userId}`,
      scopes: ["mcp:tools", "audit:read"],
      credential: "api_key",
      credentialName: "Test key",
      clientId: null,
    });
  });

  it("R8: takes an API key as bearer token too", async () => {
    const { key, userId } = await newKey();
    const answer = await callTool("whoami", {}, { headers: { authorization: `Bearer ${key}` } });
    expect(answer.result?.structuredContent).toMatchObject({ userId, credential: "api_key" });
  });

  it("says what is wrong with arguments in a result that a model can act on", async () => {
    const { key } = await newKey();
    const answer = await callTool("echo", { text: 7 }, { key });
    expect(answer.result?.isError).toBe(true);
    expect(JSON.stringify(answer.result)).toContain("text");
  });

  it("serves both generations at one address", async () => {
    const { key } = await newKey();
    const older = await rpc(
      "initialize",
      { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } },
      { key },
    );
    expect(older.result).toMatchObject({ protocolVersion: "2025-11-25", capabilities: { tools: {} } });
    const meta = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
      "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
    };
    const newer = await rpc(
      "server/discover",
      { _meta: meta },
      { key, headers: { "mcp-protocol-version": "2026-07-28", "mcp-method": "server/discover" } },
    );
    expect(newer.result).toMatchObject({ resultType: "complete", supportedVersions: ["2026-07-28"] });
  });

  it("never mixes up the answers of callers who use one request id", async () => {
    const people = await Promise.all(Array.from({ length: 5 }, () => newKey()));
    const answers = await Promise.all(people.map(({ key }) => callTool("whoami", {}, { key })));
    expect(answers.map(({ result }) => result?.structuredContent?.["userId"])).toEqual(
      people.map(({ userId }) => userId),
    );
  });
});

describe("scripts", () => {
  const ask = (key: string, accept: string | undefined, message: object) =>
    request("/mcp", {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json", ...(accept === undefined ? {} : { accept }) },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });

  it.each([undefined, "*/*", "application/json", "text/html"])(
    "K07: that accept %j get one JSON answer instead of a stream",
    async (accept) => {
      const { key } = await newKey();
      const params = { name: "echo", arguments: { text: "hello" } };
      const answer = await ask(key, accept, { id: 7, method: "tools/call", params });
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toBe("application/json");
      expect(await answer.json()).toMatchObject({ id: 7, result: { structuredContent: { text: "hello" } } });
    },
  );

  it("get the result of a tool that reports progress, without the progress", async () => {
    const { key, userId } = await newKey();
    await addUpstream(`personal-${userId}`, "every", upstreams.everything);
    const params = { name: "every__test_tool_with_progress", arguments: {}, _meta: { progressToken: 1 } };
    const answer = await ask(key, "*/*", { id: 8, method: "tools/call", params });
    expect(await answer.json()).toMatchObject({ id: 8, result: { content: [{ type: "text" }] } });
  });

  it("get errors and the receipt of a notification in the same way", async () => {
    const { key } = await newKey();
    const unknown = await ask(key, "*/*", { id: 9, method: "no/such/method" });
    expect(await unknown.json()).toMatchObject({ id: 9, error: { code: -32601 } });
    const notification = await ask(key, "*/*", { method: "notifications/initialized" });
    expect(notification.status).toBe(202);
  });
});

describe("a subscription", () => {
  it("is answered at once, also to a caller that did not ask for events", async () => {
    const { key } = await newKey();
    const envelope = {
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
    };
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen", accept: "*/*" };
    const params = { notifications: { toolsListChanged: true }, _meta: envelope };
    const answer = await request("/mcp", {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json", ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscriptions/listen", params }),
    });
    const first = await answer.body?.getReader().read();
    expect(new TextDecoder().decode(first?.value)).toContain("notifications/subscriptions/acknowledged");
  });
});

describe("browser clients", () => {
  it("may ask from loopback and configured origins, without credentials mode", async () => {
    const { key } = await newKey();
    for (const origin of ["http://localhost:6274", "https://app.example.com"]) {
      const preflight = await request("/mcp", {
        method: "OPTIONS",
        headers: { origin, "access-control-request-headers": "x-api-key, mcp-param-region" },
      });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get("access-control-allow-origin")).toBe(origin);
      expect(preflight.headers.get("access-control-allow-headers")).toContain("mcp-param-region");
      const answer = await callTool("echo", { text: "x" }, { key, headers: { origin } });
      expect(answer.response.headers.get("access-control-allow-origin")).toBe(origin);
      expect(answer.response.headers.get("access-control-allow-credentials")).toBeNull();
    }
  });

  it("can read the challenge that tells them where to sign in", async () => {
    const answer = await rpc("tools/list", {}, { headers: { origin: "http://localhost:6274" } });
    expect(answer.status).toBe(401);
    expect(answer.response.headers.get("access-control-expose-headers")).toContain("www-authenticate");
  });
});

describe("what is listed and what may be called", () => {
  const scopeSets: readonly Scope[][] = [
    ["mcp:tools"],
    ["mcp-registry:read"],
    ["mcp:tools", "mcp-registry:read"],
    ["audit:read"],
  ];
  const cases = scopeSets.flatMap((scopes) =>
    [null, [], ["whoami", "search_servers"]].map((tools) => ({ scopes, tools })),
  );

  it.each(cases)("are the same for a key with $scopes and the tool list $tools", async ({ scopes, tools }) => {
    const { key } = await keyWith({ tools }, { scopes });
    const { result, status } = await rpc("tools/list", {}, { key });
    const listed = (result?.tools ?? []).map(({ name }) => name);
    const callable: string[] = [];
    for (const { name } of BUILTIN_TOOLS) {
      const answer = await callTool(name, {}, { key });
      if (answer.status === 200 && answer.error === undefined) callable.push(name);
      else expect(answer.error?.data?.["code"]).toMatch(/^(insufficient_scope|unknown_tool)$/);
    }
    expect(listed).toEqual(callable);
    expect(status).toBe(scopes.includes("mcp:tools") ? 200 : 403);
  });

  it("are the same in the instructions: search_servers is named to who may call it", async () => {
    const initialize = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "1" } };
    const instructionsFor = async (tools: string[] | null) => {
      const { key } = await keyWith({ tools });
      return (await rpc("initialize", initialize, { key })).result?.["instructions"];
    };
    expect(await instructionsFor(null)).toContain("search_servers");
    expect(await instructionsFor(["echo"])).not.toContain("search_servers");
  });
});
