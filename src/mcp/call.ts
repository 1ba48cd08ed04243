import type { Principal } from "../access/principal.ts";
import type { CatalogDeps } from "../upstreams/catalog.ts";
import type { Envelope } from "./envelope.ts";

/** How the work on a request ended; `code` is null when it went well. */
export interface Outcome {
  outcome: "ok" | "error";
  code: string | null;
}

/** One authenticated request on its way through the endpoint. Made fresh for each request: nothing in it outlives the answer. */
export interface Call {
  principal: Principal;
  envelope: Envelope;
  request: Request;
  /** Null on the aggregated endpoint. */
  slug: string | null;
  startedAt: number;
  /** What the tenant has, as of its epoch at admission. */
  catalog: CatalogDeps;
  /** Settled by the handler that does the work, also after the response has begun to stream. */
  finished: PromiseWithResolvers<Outcome>;
  /** Set when the answer's JSON-RPC error demands an HTTP status that the SDK does not give to errors of handlers. */
  errorStatus?: 400;
}

const AUDITED = {
  "tools/call": "mcp.tools/call",
  "prompts/get": "mcp.prompts/get",
  "resources/read": "mcp.resources/read",
} as const;

/** The audit event of a method, or undefined for one that only lists or negotiates. */
export function auditedAs(method: string): (typeof AUDITED)[keyof typeof AUDITED] | undefined {
  return Object.hasOwn(AUDITED, method) ? AUDITED[method as keyof typeof AUDITED] : undefined;
}

/**
 * Settles the outcome when the response ends without the work having settled it: the SDK refused the request before any handler
 * ran, or the caller went away. Settling twice is harmless; the first stands.
 */
export function settledAtEnd(response: Response, { finished, errorStatus }: Call): Response {
  const rejected = () =>
    finished.resolve({ outcome: "error", code: response.ok ? "rejected" : `http_${response.status}` });
  const streams = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  if (!response.body || !streams) {
    rejected();
    return errorStatus === undefined
      ? response
      : new Response(response.body, { status: errorStatus, headers: response.headers });
  }
  const watched = new TransformStream<Uint8Array, Uint8Array>({
    flush: rejected,
    cancel: () => finished.resolve({ outcome: "error", code: "cancelled" }),
  });
  return new Response(response.body.pipeThrough(watched), response);
}
