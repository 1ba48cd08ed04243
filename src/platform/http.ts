/** What every plane finds on Hono's context: set once by the first middleware. */
export interface HttpEnv {
  Variables: { requestId: string };
}

/** The address of the caller as Cloudflare saw it; the one header that a caller cannot choose. */
export const clientAddress = (headers: Headers): string | null => headers.get("cf-connecting-ip");

/** Where a request comes from, as the caller says it but for `ip`: see {@link clientAddress}. */
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
