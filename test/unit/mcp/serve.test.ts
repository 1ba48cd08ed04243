import { ProtocolError } from "@modelcontextprotocol/server";
import { drizzle } from "drizzle-orm/pg-proxy";
import { describe, expect, it } from "vitest";
import type { Call, Outcome } from "../../../src/mcp/call.ts";
import { server, type ServeDeps } from "../../../src/mcp/serve.ts";
import { UpstreamUnavailable, type UpstreamConnection } from "../../../src/upstreams/client.ts";
import { fakeUpstreams, tool } from "../upstreams/fake-upstreams.ts";
import { BUILTIN_TOOLS } from "../../../src/upstreams/builtin/tools.ts";

const BUILTIN = BUILTIN_TOOLS.map(({ name }) => name);

const META = "io.modelcontextprotocol";
const SECRET = "hunter2";

type Params = Record<string, unknown>;

/** A request of the 2026-07-28 generation, which says in each message what older ones said once. */
const message = (method: string, params: Params = {}, meta: Params = {}) => ({
  jsonrpc: "2.0",
  id: 1,
  method,
  params: {
    ...params,
    _meta: {
      [`${META}/protocolVersion`]: "2026-07-28",
      [`${META}/clientInfo`]: { name: "a client", version: "1" },
      [`${META}/clientCapabilities`]: { elicitation: {} },
      ...meta,
    },
  },
});

/** Lists of a credential that may not use everything. */
type Lists = Partial<Pick<Call["principal"], "servers" | "tools">>;

function callOf(
  body: ReturnType<typeof message>,
  catalog: ServeDeps["catalog"],
  slug: string | null,
  lists: Lists,
): Call {
  const headers = new Headers({
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": body.method,
  });
  const name = body.params["name" as keyof typeof body.params] as unknown;
  if (typeof name === "string") headers.set("mcp-name", name);
  return {
    principal: {
      credential: { kind: "api_key", id: "key-1", name: "laptop" },
      userId: "user-1",
      tenantId: "tenant-1",
      scopes: new Set(["mcp:tools"]),
      clientId: null,
      grantId: null,
      servers: null,
      tools: null,
      restricted: false,
      ...lists,
    },
    catalog,
    envelope: { message: body, method: body.method, id: 1, target: null },
    request: new Request("https://gateway.example.com/mcp", { method: "POST", headers, body: JSON.stringify(body) }),
    slug,
    startedAt: 0,
    finished: Promise.withResolvers<Outcome>(),
  };
}

/** A gateway over some upstreams, with what it logged. */
function gateway(catalog: ServeDeps["catalog"]) {
  const logged: string[] = [];
  const deps: ServeDeps = {
    catalog,
    db: drizzle(async () => ({ rows: [] })),
    registry: {
      search: async () => [],
      list: async () => ({ servers: [], nextCursor: null }),
      find: async () => null,
    },
    log: (level, event) => logged.push(`${level} ${event}`),
    version: "1.2.3",
  };
  return { serve: server(deps), logged };
}

interface Answer {
  result?: Params;
  error?: { code: number; message: string; data?: Params };
}

/** The JSON-RPC answer to a call, whether it was streamed or not, and its outcome for the audit log. */
async function answerTo(
  body: ReturnType<typeof message>,
  catalog = fakeUpstreams({}).deps,
  connection?: UpstreamConnection,
  lists: Lists = {},
) {
  const { serve, logged } = gateway(catalog);
  const call = callOf(body, catalog, connection ? "notes" : null, lists);
  const response = await serve(call, connection);
  const text = await response.text();
  const json = /^data: (.*)$/m.exec(text)?.[1] ?? text;
  const outcome = await Promise.race([call.finished.promise, Promise.resolve(undefined)]);
  return { status: response.status, text, outcome, logged, call, ...(JSON.parse(json) as Answer) };
}

/** An open connection to an upstream with tools. */
function connected(answer: (params: Params) => Promise<Params> | Params, capabilities: object = { tools: {} }) {
  const sent: { method: string; params: Params }[] = [];
  const connection: UpstreamConnection = {
    capabilities,
    instructions: "Be brief.",
    onLog: () => {},
    request: async (method, params) => {
      sent.push({ method, params });
      return answer(params);
    },
    close: async () => {},
  };
  return { connection, sent };
}

describe("the aggregated endpoint", () => {
  it("lists the tools of the caller's tenant, and names the servers that are away", async () => {
    const { deps } = fakeUpstreams({
      apps: () => ({ tools: [tool("a")] }),
      dead: () => Promise.reject(new Error(SECRET)),
    });
    const { result, text } = await answerTo(message("tools/list"), deps);
    expect(result?.["tools"]).toMatchObject(["apps__a", ...BUILTIN].toSorted().map((name) => ({ name })));
    expect(result?.["_meta"]).toMatchObject({ "mcp-registry-gateway/unavailable": ["dead"] });
    expect(text).not.toContain(SECRET);
  });

  it("says nothing of servers that are away when none is", async () => {
    const { text } = await answerTo(message("tools/list"));
    expect(text).not.toContain("unavailable");
  });

  it("R22: answers its own tools as the caller", async () => {
    const { result, outcome } = await answerTo(message("tools/call", { name: "whoami", arguments: {} }));
    expect(result?.["structuredContent"]).toMatchObject({
      userId: "user-1",
      tenantId: "tenant-1",
      scopes: ["mcp:tools"],
      credential: "api_key",
      credentialName: "laptop",
    });
    expect(outcome).toEqual({ outcome: "ok", code: null });
  });

  it("tells a result that is an error from one that is not", async () => {
    const { result, outcome } = await answerTo(message("tools/call", { name: "echo", arguments: { text: 7 } }));
    expect(result?.["isError"]).toBe(true);
    expect(outcome).toEqual({ outcome: "error", code: "tool_error" });
  });

  it("passes a call on to the upstream under the tool's own name, and closes the connection", async () => {
    const { deps, used } = fakeUpstreams({ apps: () => ({ content: [{ type: "text", text: "hi" }] }) as never });
    const { result } = await answerTo(message("tools/call", { name: "apps__make__it", arguments: { x: 1 } }), deps);
    expect(result?.["content"]).toEqual([{ type: "text", text: "hi" }]);
    expect(used.requests).toEqual([
      { slug: "apps", method: "tools/call", params: { name: "make__it", arguments: { x: 1 }, _meta: {} } },
    ]);
    expect(used.connected[0]?.caller).toEqual({
      userId: "user-1",
      capabilities: { elicitation: {} },
      paramHeaders: {},
    });
    expect(used.open).toBe(0);
  });

  it("closes the connection when the call fails", async () => {
    const { deps, used } = fakeUpstreams({ apps: () => Promise.reject(new ProtocolError(-32602, SECRET)) });
    const { error, text } = await answerTo(message("tools/call", { name: "apps__a" }), deps);
    expect(error?.code).toBe(-32602);
    expect(text).not.toContain(SECRET);
    expect(used.open).toBe(0);
  });

  it.each(["nothing", "other__tool", "__proto__", "x".repeat(5000)])(
    "L14: answers a tool that the tenant lacks like one that nobody has: %.20j",
    async (name) => {
      const { error, outcome } = await answerTo(message("tools/call", { name }));
      expect(error).toMatchObject({ code: -32602, data: { code: "unknown_tool" } });
      expect(error?.message.length).toBeLessThan(200);
      expect(outcome).toEqual({ outcome: "error", code: "unknown_tool" });
    },
  );

  it("names a server that is away, and does not repeat why", async () => {
    const { deps } = fakeUpstreams({ apps: () => ({ tools: [] }) });
    const connect = async () => Promise.reject(new UpstreamUnavailable("apps", "It is away.", new Error(SECRET)));
    const { error, text, outcome } = await answerTo(message("tools/call", { name: "apps__a" }), { ...deps, connect });
    expect(error).toMatchObject({ code: -32603, data: { code: "upstream_unavailable", server: "apps" } });
    expect(error?.message).toContain("It is away.");
    expect(text).not.toContain(SECRET);
    expect(outcome).toEqual({ outcome: "error", code: "upstream_unavailable" });
  });

  it("says nothing of a mistake of ours, which it logs", async () => {
    const directory = { enabled: async () => Promise.reject(new TypeError(SECRET)) };
    const catalog = { ...fakeUpstreams({}).deps, directory };
    const { error, text, outcome, logged } = await answerTo(message("tools/call", { name: "apps__a" }), catalog);
    expect(error?.code).toBe(-32603);
    expect(text).not.toContain(SECRET);
    expect(outcome).toEqual({ outcome: "error", code: "internal" });
    expect(logged).toContain("error mcp.failed");
  });
});

describe("the endpoint of one upstream", () => {
  it("passes on what the caller sent, without what the protocol reserves", async () => {
    const { connection, sent } = connected(() => ({ content: [] }));
    const meta = { progressToken: 7, "com.example/own": 1, [`${META}/logLevel`]: "debug" };
    await answerTo(message("tools/call", { name: "create", arguments: {} }, meta), undefined, connection);
    expect(sent).toEqual([
      {
        method: "tools/call",
        params: {
          name: "create",
          arguments: {},
          _meta: { "com.example/own": 1, [`${META}/logLevel`]: "debug" },
        },
      },
    ]);
  });

  it("hands back what the caller answered to a request for more input", async () => {
    const { connection, sent } = connected(() => ({ content: [] }));
    const answered = { inputResponses: { a: { action: "decline" } }, requestState: "opaque" };
    await answerTo(message("tools/call", { name: "ask", arguments: {}, ...answered }), undefined, connection);
    expect(sent[0]?.params).toMatchObject(answered);
  });

  it("puts our name where the upstream had its own", async () => {
    const { connection } = connected(() => ({
      content: [],
      _meta: { [`${META}/serverInfo`]: { name: SECRET, version: "9" } },
    }));
    const { result, text } = await answerTo(message("tools/call", { name: "create" }), undefined, connection);
    expect(result?.["_meta"]).toEqual({
      [`${META}/serverInfo`]: { name: "mcp-registry-gateway/notes", version: "1.2.3" },
    });
    expect(text).not.toContain(SECRET);
  });

  it("has the capabilities of the upstream that it can keep up", async () => {
    const all = {
      tools: { listChanged: true },
      resources: { subscribe: true },
      logging: {},
      tasks: {},
      experimental: {},
    };
    const { connection } = connected(() => ({}), all);
    const { result } = await answerTo(message("server/discover"), undefined, connection);
    expect(result?.["capabilities"]).toEqual({ tools: {}, resources: {}, logging: {} });
    expect(result?.["instructions"]).toBe("Be brief.");
  });

  it("does not know methods that the upstream has not", async () => {
    const { connection, sent } = connected(() => ({}), { tools: {} });
    const { error } = await answerTo(message("prompts/list"), undefined, connection);
    expect(error?.code).toBe(-32601);
    expect(sent).toEqual([]);
  });

  it("K12: demands status 400 when the upstream found that headers and body differ", async () => {
    const { connection } = connected(() => Promise.reject(new ProtocolError(-32020, SECRET)));
    const { call, error } = await answerTo(message("tools/call", { name: "create" }), undefined, connection);
    expect(error?.code).toBe(-32020);
    expect(call.errorStatus).toBe(400);
  });

  it("does not read the tools of the aggregated endpoint", async () => {
    const { connection, sent } = connected(() => ({ content: [] }));
    await answerTo(message("tools/call", { name: "whoami", arguments: {} }), undefined, connection);
    expect(sent[0]?.params["name"]).toBe("whoami");
  });
});

describe("a credential with a list", () => {
  const names = (result: Params | undefined) =>
    ((result?.["tools"] ?? []) as { name: string }[]).map(({ name }) => name);
  const apps = () => ({ tools: [tool("a"), tool("b")] });

  it.each<[string, Lists, string[], string[]?]>([
    ["of servers", { servers: ["apps"] }, ["apps__a", "apps__b", ...BUILTIN].toSorted(), ["apps"]],
    ["of no servers", { servers: [] }, BUILTIN, []],
    ["of tools", { tools: ["apps__b", "whoami"] }, ["apps__b", "whoami"]],
    ["of no tools", { tools: [] }, []],
    ["of both", { servers: ["dead"], tools: ["apps__b"] }, [], []],
    ["of tools of one server", { tools: ["dead__a"] }, [], ["dead"]],
  ])("L14: %s sees what is on it, and asks no server that is not on one", async (_what, lists, listed, asked) => {
    const { deps, used } = fakeUpstreams({ apps, dead: () => Promise.reject(new Error(SECRET)) });
    const { result, text } = await answerTo(message("tools/list"), deps, undefined, lists);
    expect(names(result)).toEqual(listed);
    if (asked === undefined) return;
    expect(used.connected.map(({ slug }) => slug).toSorted()).toEqual(asked);
    expect(text.includes("dead")).toBe(asked.includes("dead"));
  });

  it("L14: of tools sees those of one upstream by the names that the upstream gives them", async () => {
    const { connection } = connected(() => ({ tools: [tool("create"), tool("delete")], nextCursor: "2" }));
    const tools = ["notes__create", "delete", "apps__delete"];
    const { result } = await answerTo(message("tools/list"), undefined, connection, { tools });
    expect(names(result)).toEqual(["create"]);
    expect(result?.["nextCursor"]).toBe("2");
  });

  it("L14: of tools hears of nothing else that an upstream has", async () => {
    const all = { tools: {}, resources: {}, prompts: {}, completions: {}, logging: {} };
    const { connection } = connected(() => ({}), all);
    const { result } = await answerTo(message("server/discover"), undefined, connection, { tools: ["notes__create"] });
    expect(result?.["capabilities"]).toEqual({ tools: {}, logging: {} });
  });

  it.each([["echo"], { name: "echo" }, 7, null])(
    "L14: is not got around by a name that is no text: %j",
    async (name) => {
      const { error, outcome } = await answerTo(message("tools/call", { name, arguments: { text: "x" } }));
      expect(error?.code).toBe(-32602);
      expect(outcome?.outcome).not.toBe("ok");
    },
  );
});
