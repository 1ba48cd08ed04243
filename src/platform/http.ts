import { getPath } from "hono/utils/url";

/** Variables of Hono's context for all planes, set by the first middleware. */
export interface HttpEnv {
  Variables: { requestId: string };
}

/** The IP address of the caller as seen by Cloudflare: the only one of these headers that a caller cannot set. */
export const clientAddress = (headers: Headers): string | null => headers.get("cf-connecting-ip");

/**
 * The path by which a request is routed. Clients join a base address and a path without care, so a doubled slash is one,
 * and one at the end is none. `c.req.url` stays as it was sent: proofs of possession name that (RFC 9449 §4.3).
 */
export const routedPath = (request: Request): string => withoutCarelessSlashes(getPath(request));

/**
 * The path of a request as it was sent, percent-encoded, to hand it on. {@link routedPath} is decoded: a URL that is made
 * of that reads an encoded backslash as a slash, and leads elsewhere than where the request was routed.
 */
export const sentPath = (url: string): string => withoutCarelessSlashes(new URL(url).pathname);

const withoutCarelessSlashes = (path: string): string => path.replaceAll(/\/{2,}/g, "/").replace(/(?<=.)\/$/, "");

/** Where a request comes from. Only `ip` is not set by the caller; see {@link clientAddress}. */
export interface RequestOrigin {
  requestId: string;
  ip: string | null;
  userAgent: string | null;
}

export const originOf = (requestId: string, headers: Headers): RequestOrigin => ({
  requestId,
  ip: clientAddress(headers),
  userAgent: headers.get("user-agent"),
});
