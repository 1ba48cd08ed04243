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
/** The spellings of NUL: raw, in a query or form, in JSON. */
const NUL = ["\0", "%00", "\\u0000"];

/** Changes to a request before Better Auth gets it. */
export interface Change {
  search?: string;
  body?: string;
  /** Null removes a header. */
  headers?: Readonly<Record<string, string | null>>;
}

/** Forwards a request to Better Auth under another path, and corrects its answer. */
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
    // Postgres text cannot hold this character, so the request is the caller's mistake and not a failure here.
    if (NUL.some((nul) => search.includes(nul) || body?.includes(nul)))
      return oauthError(400, "invalid_request", "The request contains a NUL character. Remove it.");
    const request = new Request(`${origin}${path}${search}`, { method, headers, body, redirect: "manual" });
    const answer = await (await auth()).handler(request, c.get("requestId"));
    if (answer.status < 500) return mended(answer);
    // Better Auth has logged the failure. The client must not take it for a refusal.
    log("error", "oauth.framework_failed", { requestId: c.get("requestId"), path, status: answer.status });
    await answer.body?.cancel();
    return temporarilyUnavailable();
  };
}

/** The body as text. Read as bytes, because workerd warns about text in forms. Throws 413 when it is over the limit. */
export async function textOf(c: Context<HttpEnv>): Promise<string> {
  const body = await readText(c.req.raw, MAX_BODY_BYTES);
  if ("refusal" in body) throw bodyError(body.refusal);
  return body.text;
}

/** The caller's headers without hop-by-hop ones and without those that describe the body, which may change. */
function forwardedHeaders(c: Context<HttpEnv>): Headers {
  const headers = new Headers(c.req.raw.headers);
  for (const name of ["content-length", "transfer-encoding", "connection", "host", GRANT_HEADER]) headers.delete(name);
  return headers;
}

/**
 * Better Auth sends the retry time in a header of its own, and omits cache-control on answers that must not be cached.
 */
function mended(answer: Response): Response {
  const response = new Response(answer.body, answer);
  const retryAfter = response.headers.get("x-retry-after");
  if (retryAfter !== null) response.headers.set("retry-after", retryAfter);
  if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store");
  return response;
}
