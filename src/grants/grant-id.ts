import { sha256 } from "../platform/crypto.ts";

/** The grant type of devices (RFC 8628 §3.4). */
export const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

/** Carries the id of a refreshed grant from our token endpoint to Better Auth. A header sent by a caller is removed. */
export const GRANT_HEADER = "x-mrg-grant";

/**
 * The id of the grant that an access token is issued for: the hash of its authorization code or device code, which
 * Better Auth stores with the refresh tokens as `authorization_code_id`. Undefined for grants without one (client
 * credentials).
 */
export async function grantOf(ctx: { body?: unknown; headers?: Headers | undefined }): Promise<string | undefined> {
  const { grant_type: type, code, device_code: deviceCode } = (ctx.body ?? {}) as Record<string, unknown>;
  if (type === "authorization_code" && typeof code === "string") return sha256(code);
  if (type === DEVICE_GRANT && typeof deviceCode === "string") return sha256(deviceCode);
  if (type === "refresh_token") return ctx.headers?.get(GRANT_HEADER) ?? undefined;
  return undefined;
}
