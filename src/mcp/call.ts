import type { Principal } from "../access/principal.ts";
import type { CatalogDeps } from "../upstreams/catalog.ts";
import type { Envelope } from "./envelope.ts";

/** How a request ended. `code` is null when it succeeded. */
export interface Outcome {
  outcome: "ok" | "error";
  code: string | null;
}

/** One authenticated request. Created for each request; nothing of it outlives the answer. */
export interface Call {
  principal: Principal;
  envelope: Envelope;
  request: Request;
  /** Null on the aggregated endpoint. */
  slug: string | null;
  startedAt: number;
  /** The tenant's catalog, as of its epoch at admission. */
  catalog: CatalogDeps;
  /** Settled by the handler that does the work, possibly after the response has begun to stream. */
  finished: PromiseWithResolvers<Outcome>;
  /** Set when the answer's JSON-RPC error requires an HTTP status that the SDK does not use for errors of handlers. */
  errorStatus?: 400;
}

const AUDITED = {
  "tools/call": "mcp.tools/call",
  "prompts/get": "mcp.prompts/get",
  "resources/read": "mcp.resources/read",
} as const;

/** The audit event of a method; undefined for a method that only lists or negotiates. */
export function auditedAs(method: string): (typeof AUDITED)[keyof typeof AUDITED] | undefined {
  return Object.hasOwn(AUDITED, method) ? AUDITED[method as keyof typeof AUDITED] : undefined;
}

/**
 * Settles the outcome at the end of the response if the handler has not done so: the SDK refused the request before a
 * handler ran, or the caller disconnected. Settling twice is harmless; the first outcome counts.
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
