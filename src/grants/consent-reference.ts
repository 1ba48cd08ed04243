import { randomToken, sha256 } from "../platform/crypto.ts";

/** Bytes of the hash part; 22 characters of base64url. */
const HASH_LENGTH = 22;
const LOOPBACK = /^(http:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])):\d*(?=[/?#]|$)/i;

/** The hash part of a reference, for JavaScript and Postgres alike. */
export const REFERENCE_HASH = `#[A-Za-z0-9_-]{${HASH_LENGTH}}$`;
const HASH_PART = new RegExp(REFERENCE_HASH);

/**
 * What a consent is kept under beside person and client: the tenant that the grant acts in, and where its codes go. Native apps listen
 * at a port that changes (RFC 8252 §7.3), so a loopback redirect counts without it. Without a redirect URI it is a reference that nothing
 * was consented under; it is never empty, because the framework then takes any consent of the person for the client.
 */
export async function consentReference(tenant: string, redirectUri: string | undefined): Promise<string> {
  const hash = redirectUri ? await sha256(`redirect\n${redirectUri.replace(LOOPBACK, "$1")}`) : randomToken(32);
  return `${tenant}#${hash.slice(0, HASH_LENGTH)}`;
}

/** The tenant of a grant. A reference without the hash part is from before redirect URIs counted, and a tenant by itself. */
export const tenantOfReference = (reference: string): string => reference.replace(HASH_PART, "");
