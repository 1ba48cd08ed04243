import type { Failure } from "../http/failure.ts";

const METADATA_SECONDS = 300;
const RETRY_SECONDS = "2";

/** An error of an OAuth endpoint (RFC 6749 §5.2). The description is our own text and reveals nothing of a failure. */
export function oauthError(
  status: number,
  error: string,
  description: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json(
    { error, error_description: description },
    { status, headers: { ...headers, "cache-control": "no-store" } },
  );
}

/** For failures of Postgres or Redis: the client keeps its tokens and tries again. */
export function temporarilyUnavailable(): Response {
  const description = "The gateway cannot answer right now. Try again shortly.";
  return oauthError(503, "temporarily_unavailable", description, { "retry-after": RETRY_SECONDS });
}

/** The answer to a request that threw, as an error of RFC 6749 §5.2. */
export function failureAnswer({ code, status, text, headers }: Failure): Response {
  if (code === "unavailable") return temporarilyUnavailable();
  return oauthError(status, code === "internal" ? "server_error" : "invalid_request", text, { ...headers });
}

/** A public document that changes only with a deployment. */
export function cacheable(body: Record<string, unknown> | string): Response {
  return new Response(typeof body === "string" ? body : JSON.stringify(body), {
    headers: { "content-type": "application/json", "cache-control": `public, max-age=${METADATA_SECONDS}` },
  });
}
