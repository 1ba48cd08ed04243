import { ProtocolError, type ServerContext } from "@modelcontextprotocol/server";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { forward, paramsOf, unavailableError, upstreamCaller } from "../../../src/mcp/forward.ts";
import {
  UpstreamUnavailable,
  type UpstreamConnection,
  type UpstreamRequestOptions,
} from "../../../src/upstreams/client.ts";

const SECRET = "postgres://root:hunter2@10.0.0.1/x <script>";

interface Sent {
  method: string;
  params: Record<string, unknown>;
}

/** A caller's request as the SDK hands it to a handler, and the notifications that reach the caller. */
function callerContext(request: Record<string, unknown> = {}) {
  const { state, ...mcpReq } = request;
  const notified: Sent[] = [];
  const controller = new AbortController();
  const context = {
    mcpReq: {
      signal: controller.signal,
      requestState: () => state,
      notify: async (notification: Sent) => {
        notified.push(notification);
      },
      ...mcpReq,
    },
  } as unknown as ServerContext;
  return { context, notified, controller };
}

/** An upstream that answers as told and keeps what it was sent. */
function upstream(answer: (options: UpstreamRequestOptions) => unknown = () => ({ content: [] })) {
  const sent: (Sent & { options: UpstreamRequestOptions })[] = [];
  const logs: ((params: Record<string, unknown>) => void)[] = [];
  const connection: UpstreamConnection = {
    capabilities: {},
    instructions: undefined,
    onLog: (passOn) => logs.push(passOn),
    request: async (method, params, options = {}) => {
      sent.push({ method, params, options });
      return (await answer(options)) as Record<string, unknown>;
    },
    close: async () => {},
  };
  return { connection, sent, logs };
}

/** What the caller gets when the upstream fails with an error. */
async function failureOf(error: unknown): Promise<unknown> {
  const { connection } = upstream(() => {
    throw error;
  });
  try {
    await forward(connection, "tools/call", {}, callerContext().context);
  } catch (failure) {
    return failure;
  }
  throw new Error("the request did not fail");
}

const asError = (failure: unknown) => failure as ProtocolError & { data?: Record<string, unknown> };

describe("a request that is passed on", () => {
  it("has the method and parameters that came, and the answer is the upstream's", async () => {
    const { connection, sent } = upstream(() => ({ content: [], structuredContent: { n: 1 }, more: true }));
    const { context, controller } = callerContext();
    const params = { name: "create", arguments: { text: "x", nested: { _meta: 1 } } };
    expect(await forward(connection, "tools/call", params, context)).toEqual({
      content: [],
      structuredContent: { n: 1 },
      more: true,
    });
    expect(sent).toEqual([
      { method: "tools/call", params: { ...params, _meta: {} }, options: { signal: controller.signal } },
    ]);
  });

  it("keeps the caller's own metadata, and asks for progress in its own name", async () => {
    const { connection, sent } = upstream();
    const { context } = callerContext({ _meta: { progressToken: "p", traceparent: "00-1-2-01", "com.example/x": 1 } });
    await forward(connection, "tools/call", {}, context);
    expect(sent[0]?.params).toEqual({ _meta: { traceparent: "00-1-2-01", "com.example/x": 1 } });
    expect(sent[0]?.options.onprogress).toBeTypeOf("function");
  });

  it("is cancelled with the caller's", async () => {
    const { context, controller } = callerContext();
    const { connection } = upstream(
      ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () => reject(new Error("aborted")));
        }),
    );
    const request = forward(connection, "tools/call", {}, context);
    controller.abort();
    await expect(request).rejects.toThrow("aborted");
  });

  it("hands back what the caller answered to a request for more input, with the state it holds", async () => {
    const { connection, sent } = upstream();
    const inputResponses = { name: { action: "accept", content: { name: "Ann" } } };
    const { context } = callerContext({ inputResponses, state: "opaque" });
    await forward(connection, "tools/call", { name: "ask" }, context);
    expect(sent[0]?.params).toEqual({ name: "ask", inputResponses, requestState: "opaque", _meta: {} });
  });

  it("has neither when the caller sent neither", async () => {
    const { connection, sent } = upstream();
    await forward(connection, "tools/call", { name: "ask" }, callerContext().context);
    expect(Object.keys(sent[0]?.params ?? {})).toEqual(["name", "_meta"]);
  });

  it("hands the caller a request for more input as it came", async () => {
    const asked = {
      resultType: "input_required",
      inputRequests: { a: { method: "elicitation/create" } },
      requestState: "s",
    };
    const { connection } = upstream(() => asked);
    expect(await forward(connection, "tools/call", {}, callerContext().context)).toEqual(asked);
  });
});

describe("progress and log messages", () => {
  it("reach the caller under its own progress token", async () => {
    const { connection } = upstream(({ onprogress }) => {
      onprogress?.({ progress: 1, total: 2, message: "half" });
      onprogress?.({ progress: 2, total: 2 });
      return {};
    });
    const { context, notified } = callerContext({ _meta: { progressToken: 0 } });
    await forward(connection, "tools/call", {}, context);
    expect(notified).toEqual([
      { method: "notifications/progress", params: { progressToken: 0, progress: 1, total: 2, message: "half" } },
      { method: "notifications/progress", params: { progressToken: 0, progress: 2, total: 2 } },
    ]);
  });

  it("are never sent under a token that the upstream chose", async () => {
    const { connection } = upstream(({ onprogress }) => {
      onprogress?.({ progress: 1, progressToken: "another's" } as never);
      return {};
    });
    const { context, notified } = callerContext({ _meta: { progressToken: "mine" } });
    await forward(connection, "tools/call", {}, context);
    expect(notified[0]?.params["progressToken"]).toBe("mine");
  });

  it("are not asked for by a caller who gave no token and no level", async () => {
    const { connection, sent, logs } = upstream();
    await forward(connection, "tools/call", {}, callerContext().context);
    expect(sent[0]?.options).not.toHaveProperty("onprogress");
    expect(logs).toEqual([]);
  });

  it("are asked for at the level that the caller asked for", async () => {
    const { connection, sent, logs } = upstream(() => {
      logs[0]?.({ level: "info", data: "x" });
      return {};
    });
    const envelope = { "io.modelcontextprotocol/logLevel": "info" };
    const { context, notified } = callerContext({ envelope });
    await forward(connection, "tools/call", {}, context);
    expect(sent[0]?.params["_meta"]).toEqual(envelope);
    expect(notified).toEqual([{ method: "notifications/message", params: { level: "info", data: "x" } }]);
  });

  it("do not fail the request when the caller has gone", async () => {
    const { connection } = upstream(({ onprogress }) => {
      onprogress?.({ progress: 1 });
      return { content: [] };
    });
    const notify = async () => Promise.reject(new Error("closed"));
    const { context } = callerContext({ _meta: { progressToken: 1 }, notify });
    expect(await forward(connection, "tools/call", {}, context)).toEqual({ content: [] });
  });
});

describe("the name of the upstream", () => {
  const SERVER_INFO = "io.modelcontextprotocol/serverInfo";

  it.each([
    [{ _meta: { [SERVER_INFO]: { name: "hidden" } } }, {}],
    [{ _meta: { [SERVER_INFO]: { name: "hidden" }, kept: 1 } }, { _meta: { kept: 1 } }],
    [{ _meta: { kept: 1 } }, { _meta: { kept: 1 } }],
    [{ _meta: null }, {}],
    [{ _meta: "x" }, {}],
  ])("is taken out of %j", async (result, shown) => {
    const { connection } = upstream(() => ({ ...result, content: [] }));
    expect(await forward(connection, "tools/call", {}, callerContext().context)).toEqual({ ...shown, content: [] });
  });
});

describe("an error of the upstream", () => {
  it.each([
    [-32600, -32600],
    [-32601, -32601],
    [-32602, -32602],
    [-32020, -32020],
    [-32021, -32021],
    [-32603, -32603],
    [-32700, -32603],
    [-32002, -32603],
    [-32042, -32603],
    [-32000, -32603],
    [401, -32603],
    [0, -32603],
  ])("with code %i is one with code %i and words of ours", async (given, shown) => {
    const failure = asError(await failureOf(new ProtocolError(given, SECRET, { code: SECRET, hint: SECRET })));
    expect(failure).toBeInstanceOf(ProtocolError);
    expect(failure.code).toBe(shown);
    expect(failure.message).toMatch(/The server [a-z ,]+\.$/);
    expect(failure.data).toEqual({ code: "upstream_error" });
  });

  it("passes on none of its texts, whatever its code", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: -33_000, max: 1000 }), async (code) => {
        const failure = asError(await failureOf(new ProtocolError(code, SECRET, { message: SECRET, code: SECRET })));
        expect(JSON.stringify([failure.message, failure.data])).not.toContain("hunter2");
      }),
      { seed: 15, numRuns: 200 },
    );
  });

  it("K15: says which capability the caller lacks", async () => {
    const needed = { requiredCapabilities: { elicitation: {} } };
    const failure = asError(await failureOf(new ProtocolError(-32021, SECRET, needed)));
    expect(failure.data).toEqual({ code: "upstream_error", ...needed });
  });

  it("of another kind is left to the endpoint, which knows the absent server from a mistake of ours", async () => {
    const absent = new UpstreamUnavailable("notes", "It is away.", new Error(SECRET));
    expect(await failureOf(absent)).toBe(absent);
    const mistake = new TypeError("x");
    expect(await failureOf(mistake)).toBe(mistake);
  });
});

describe("an absent upstream", () => {
  it("is an internal error that names it, in our words", () => {
    const error = unavailableError(new UpstreamUnavailable("notes", "It is away.", new Error(SECRET)));
    expect(error.code).toBe(-32603);
    expect(error.message).toContain("It is away.");
    expect(error.data).toEqual({ code: "upstream_unavailable", server: "notes" });
  });
});

describe("what an upstream may know of the caller", () => {
  const request = new Request("https://gateway.example.com/mcp", {
    headers: {
      authorization: "Bearer secret",
      "x-api-key": "mrg_secret",
      cookie: "session=secret",
      "mcp-method": "tools/call",
      "mcp-name": "notes__create",
      "mcp-session-id": "1",
      "mcp-param-region": "eu",
      "Mcp-Param-User-Id": "7",
      "mcp-param-": "x",
      [`mcp-param-${"a".repeat(65)}`]: "x",
      "x-mcp-param-region": "x",
      "user-agent": "agent",
      "cf-connecting-ip": "192.0.2.1",
    },
  });

  it("K13: is its id and its parameter headers, never a credential", () => {
    expect(upstreamCaller("user-1", request, {})).toEqual({
      userId: "user-1",
      capabilities: {},
      paramHeaders: { "mcp-param-region": "eu", "mcp-param-user-id": "7" },
    });
  });

  it.each([
    [{ elicitation: {} }, { elicitation: {} }],
    [{}, {}],
    [null, {}],
    ["all", {}],
    [undefined, {}],
  ])("has the capabilities that the caller declared: %j", (declared, known) => {
    const message = { params: { _meta: { "io.modelcontextprotocol/clientCapabilities": declared } } };
    expect(upstreamCaller("user-1", request, message).capabilities).toEqual(known);
  });
});

describe("the parameters of a request", () => {
  it("are without the metadata that the SDK keeps apart", () => {
    const request = { jsonrpc: "2.0", id: 1, method: "tools/call" } as const;
    expect(paramsOf({ ...request, params: { name: "x", _meta: { progressToken: 1 } } })).toEqual({ name: "x" });
    expect(paramsOf(request)).toEqual({});
  });
});
