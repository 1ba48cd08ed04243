import { ProtocolError, type JSONRPCRequest, type Result, type ServerContext } from "@modelcontextprotocol/server";
import { JSON_RPC } from "../platform/json-rpc.ts";
import type { UpstreamCaller, UpstreamConnection, UpstreamUnavailable } from "../upstreams/client.ts";

const CAPABILITIES = ["elicitation", "sampling", "roots", "tasks"];
const PARAM_HEADER = /^mcp-param-[a-z0-9-]{1,64}$/;
const LOG_LEVEL = "io.modelcontextprotocol/logLevel";
const SERVER_INFO = "io.modelcontextprotocol/serverInfo";

/**
 * Our texts for the codes of JSON-RPC errors from an upstream. The code is kept; the upstream's text is not trusted.
 */
const ERROR_TEXTS: Readonly<Record<number, string>> = {
  [JSON_RPC.invalidRequest]: "The server refused the request as invalid.",
  [JSON_RPC.methodNotFound]: "The server does not know this method.",
  [JSON_RPC.invalidParams]: "The server refused the parameters, or has nothing of this name.",
  [JSON_RPC.headerMismatch]: "The server found that headers and body of the request differ.",
  [JSON_RPC.missingCapability]: "The server needs a capability that the client did not declare.",
};

/** What an upstream may know about the caller of this request. */
export function upstreamCaller(
  userId: string,
  request: Request,
  message: Readonly<Record<string, unknown>>,
): UpstreamCaller {
  const params = message["params"] as { _meta?: Record<string, unknown> } | undefined;
  const capabilities = params?._meta?.["io.modelcontextprotocol/clientCapabilities"];
  return {
    userId,
    capabilities: typeof capabilities === "object" && capabilities !== null ? capabilities : {},
    paramHeaders: Object.fromEntries([...request.headers].filter(([name]) => PARAM_HEADER.test(name))),
  };
}

/**
 * Forwards one request to an upstream. Parameters are unchanged, progress and log messages are streamed back, and
 * cancellation is passed on. A request for more input (multi round-trip) goes to the caller, who holds its state.
 */
export async function forward(
  connection: UpstreamConnection,
  method: string,
  params: Record<string, unknown>,
  context: ServerContext,
): Promise<Result> {
  const { mcpReq } = context;
  const { progressToken, ...meta } = { ...mcpReq._meta };
  const logLevel = (mcpReq.envelope as Record<string, unknown> | undefined)?.[LOG_LEVEL];
  const state: unknown = mcpReq.requestState();
  if (logLevel !== undefined) connection.onLog((log) => void notify(context, "notifications/message", log));
  try {
    const result = await connection.request(
      method,
      {
        ...params,
        ...(mcpReq.inputResponses && { inputResponses: mcpReq.inputResponses }),
        ...(state === undefined ? {} : { requestState: state }),
        _meta: { ...meta, ...(logLevel === undefined ? {} : { [LOG_LEVEL]: logLevel }) },
      },
      {
        signal: mcpReq.signal,
        ...(progressToken !== undefined && {
          onprogress: (progress) => void notify(context, "notifications/progress", { ...progress, progressToken }),
        }),
      },
    );
    return withoutServerInfo(result);
  } catch (error) {
    throw fromUpstream(error);
  }
}

/** Removes the upstream's server info, because the caller talks to this gateway: the SDK inserts ours. */
function withoutServerInfo({ _meta, ...result }: Record<string, unknown>): Result {
  if (typeof _meta !== "object" || _meta === null) return result;
  const { [SERVER_INFO]: _upstream, ...meta } = _meta as Record<string, unknown>;
  return Object.keys(meta).length > 0 ? { ...result, _meta: meta } : result;
}

/** The parameters of a request without `_meta`, which the SDK handles separately. */
export function paramsOf(request: JSONRPCRequest): Record<string, unknown> {
  const { _meta, ...params } = (request.params ?? {}) as Record<string, unknown>;
  return params;
}

/** The error for an upstream that is unavailable. */
export function unavailableError(error: UpstreamUnavailable): ProtocolError {
  return new ProtocolError(JSON_RPC.internalError, error.message, { code: "upstream_unavailable", server: error.slug });
}

/** Our version of an upstream's JSON-RPC error. Other failures are returned unchanged. */
function fromUpstream(error: unknown): unknown {
  if (!(error instanceof ProtocolError)) return error;
  const text = ERROR_TEXTS[error.code];
  if (text === undefined)
    return new ProtocolError(JSON_RPC.internalError, "The server failed to answer.", { code: "upstream_error" });
  return new ProtocolError(error.code, text, knownData(error));
}

/** The part of an upstream's error data that is passed on: the names of capabilities that this protocol knows. */
function knownData(error: ProtocolError): Record<string, unknown> {
  const data = { code: "upstream_error" };
  const required = (error.data as { requiredCapabilities?: unknown } | undefined)?.requiredCapabilities;
  if (error.code !== JSON_RPC.missingCapability || typeof required !== "object" || required === null) return data;
  const names = CAPABILITIES.filter((name) => Object.hasOwn(required, name));
  return { ...data, requiredCapabilities: Object.fromEntries(names.map((name) => [name, {}])) };
}

async function notify(context: ServerContext, method: string, params: Record<string, unknown>): Promise<void> {
  try {
    await context.mcpReq.notify({ method, params });
  } catch {
    // The caller has disconnected; the request's own signal ends the work.
  }
}
