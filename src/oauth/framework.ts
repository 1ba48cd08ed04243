import type { Context } from "hono";
import type { Auth } from "../auth/auth.ts";
import { rotatedCookies } from "../auth/cookie-rotation.ts";
import { GRANT_HEADER } from "../grants/grant-id.ts";
import { bodyError, readText } from "../platform/body.ts";
import type { Config } from "../platform/config.ts";
import type { HttpEnv } from "../platform/http.ts";
import type { Log } from "../platform/log.ts";
import { oauthError, temporarilyUnavailable } from "./answers.ts";

const MAX_BODY_BYTES = 65_536;
/** How NUL can come: bare, in a query or form, in JSON. */
const NUL = ["\0", "%00", "\\u0000"];

/** What of a request is changed before Better Auth sees it. */
export interface Change {
  search?: string;
  body?: string;
  /** Null removes a header. */
  headers?: Readonly<Record<string, string | null>>;
}

/** Hands a request on to Better Auth at a path of its own, and mends its answer. */
export type AskFramework = (c: Context<HttpEnv>, path: string, change?: Change) => Promise<Response>;

export function framework(
  { BASE_URL: origin, BETTER_AUTH_SECRETS: secrets }: Pick<Config, "BASE_URL" | "BETTER_AUTH_SECRETS">,
  auth: () => Promise<Pick<Auth, "handler">>,
  log: Log,
): AskFramework {
  return async (c, path, change = {}) => {
    const headers = forwardedHeaders(c);
    const cookies = headers.get("cookie");
    if (cookies !== null) headers.set("cookie", await rotatedCookies(cookies, secrets));
    for (const [name, value] of Object.entries(change.headers ?? {})) {
      if (value === null) headers.delete(name);
      else headers.set(name, value);
    }
    const { method } = c.req;
    const body = method === "GET" || method === "HEAD" ? null : (change.body ?? (await textOf(c)));
    const search = change.search ?? new URL(c.req.url).search;
    // Postgres has no text with this character: a question about one is a mistake of the caller, not a fault of ours.
    if (NUL.some((nul) => search.includes(nul) || body?.includes(nul)))
      return oauthError(400, "invalid_request", "The request holds a NUL character.");
    const request = new Request(`${origin}${path}${search}`, { method, headers, body, redirect: "manual" });
    const answer = await (await auth()).handler(request, c.get("requestId"));
    if (answer.status < 500) return mended(answer);
    // Better Auth has logged what failed; its callers must not take a fault of ours for a refusal.
    log("error", "oauth.framework_failed", { requestId: c.get("requestId"), path, status: answer.status });
    await answer.body?.cancel();
    return temporarilyUnavailable();
  };
}

/** The body as text. Read as bytes: workerd warns of text in forms. Throws 413 when it is larger than any honest request. */
export async function textOf(c: Context<HttpEnv>): Promise<string> {
  const body = await readText(c.req.raw, MAX_BODY_BYTES);
  if ("refusal" in body) throw bodyError(body.refusal);
  return body.text;
}

/** Headers of the caller without hop-by-hop ones and those that describe a body which may change. */
function forwardedHeaders(c: Context<HttpEnv>): Headers {
  const headers = new Headers(c.req.raw.headers);
  for (const name of ["content-length", "transfer-encoding", "connection", "host", GRANT_HEADER]) headers.delete(name);
  return headers;
}

/** Better Auth says when to retry in a header of its own, and leaves caching to chance where an answer is nobody else's. */
function mended(answer: Response): Response {
  const response = new Response(answer.body, answer);
  const retryAfter = response.headers.get("x-retry-after");
  if (retryAfter !== null) response.headers.set("retry-after", retryAfter);
  if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store");
  return response;
}
