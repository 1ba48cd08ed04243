import { sha256 } from "../platform/crypto.ts";

/** Carries the id of a refreshed grant from our token front to Better Auth. A caller's own is dropped on the way in. */
export const GRANT_HEADER = "x-mrg-grant";

/**
 * The grant for which an access token is being made: the hash of its authorization code, which Better Auth keeps with the refresh tokens
 * as `authorization_code_id`. Undefined for grants without one (client credentials).
 */
export async function grantOf(ctx: { body?: unknown; headers?: Headers | undefined }): Promise<string | undefined> {
  const { grant_type: type, code } = (ctx.body ?? {}) as { grant_type?: unknown; code?: unknown };
  if (type === "authorization_code" && typeof code === "string") return sha256(code);
  if (type === "refresh_token") return ctx.headers?.get(GRANT_HEADER) ?? undefined;
  return undefined;
}
