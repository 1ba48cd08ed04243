import { getPath } from "hono/utils/url";

/** Variables of Hono's context for all planes, set by the first middleware. */
export interface HttpEnv {
  Variables: { requestId: string };
}

/** The IP address of the caller as seen by Cloudflare: the only one of these headers that a caller cannot set. */
export const clientAddress = (headers: Headers): string | null => headers.get("cf-connecting-ip");

/**
 * The path by which a request is routed, decoded. Clients join a base address and a path without care, so a doubled
 * slash counts as one, and a slash at the end as none. `c.req.url` is still the URL as sent, which proofs of possession
 * name (RFC 9449 §4.3).
 */
export const routedPath = (request: Request): string => withoutCarelessSlashes(getPath(request));

/**
 * The path of a request for handing it on: as {@link routedPath}, but still percent-encoded. In a URL made of the
 * decoded path, what was an encoded backslash would be a slash, so the request would reach another endpoint than the one
 * it was routed to.
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
