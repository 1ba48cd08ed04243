import type { MiddlewareHandler } from "hono";
import { randomToken } from "../../platform/crypto.ts";
import type { PageEnv } from "./deps.ts";

/**
 * The policy of one page: only its own stylesheet and images of this origin load, no script runs, and no site can frame
 * it. Chrome applies `form-action` to the redirects after a form post too, hence `formTarget`: a single source
 * expression.
 */
export function contentSecurityPolicy(nonce: string, formTarget?: string): string {
  return [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    "img-src 'self' data:",
    `form-action 'self'${formTarget === undefined ? "" : ` ${formTarget}`}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

/** Security headers of every page response. Redirects need them too, because they carry codes and signed queries. */
export function pageHeaders(secure: boolean): MiddlewareHandler<PageEnv> {
  return async (c, next) => {
    c.set("nonce", randomToken(16));
    await next();
    c.header("content-security-policy", contentSecurityPolicy(c.get("nonce"), c.get("formTarget")));
    c.header("referrer-policy", "no-referrer");
    c.header("x-content-type-options", "nosniff");
    c.header("cross-origin-opener-policy", "same-origin");
    c.header("cache-control", "no-store");
    if (secure) c.header("strict-transport-security", "max-age=31536000; includeSubDomains");
  };
}
