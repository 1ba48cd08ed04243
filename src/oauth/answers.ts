import { AppError, ERROR_STATUS, isUnavailable } from "../platform/errors.ts";

const METADATA_SECONDS = 300;
const RETRY_SECONDS = "2";

/** An error of an OAuth endpoint (RFC 6749 §5.2). The description is ours: nothing of a failure shows through. */
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

/** For faults of Postgres or Redis: the client keeps its tokens and tries again. */
export function temporarilyUnavailable(): Response {
  const description = "The gateway cannot answer right now. Try again shortly.";
  return oauthError(503, "temporarily_unavailable", description, { "retry-after": RETRY_SECONDS });
}

/** The answer for whatever was thrown on the way. */
export function failure(error: unknown): Response {
  if (error instanceof AppError) return oauthError(ERROR_STATUS[error.code], "invalid_request", error.message);
  if (isUnavailable(error)) return temporarilyUnavailable();
  return oauthError(
    500,
    "server_error",
    "The gateway failed to answer. Its operator finds the cause by the request id.",
  );
}

/** A public document that changes with a deployment only. */
export function cacheable(body: Record<string, unknown> | string): Response {
  return new Response(typeof body === "string" ? body : JSON.stringify(body), {
    headers: { "content-type": "application/json", "cache-control": `public, max-age=${METADATA_SECONDS}` },
  });
}
