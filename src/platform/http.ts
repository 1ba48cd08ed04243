/** What every plane finds on Hono's context: set once by the first middleware. */
export interface HttpEnv {
  Variables: { requestId: string };
}

/** The address of the caller as Cloudflare saw it; the one header that a caller cannot choose. */
export const clientAddress = (headers: Headers): string | null => headers.get("cf-connecting-ip");
