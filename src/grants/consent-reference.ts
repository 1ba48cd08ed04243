import { randomToken, sha256 } from "../platform/crypto.ts";

/** Length of the hash part, in characters of base64url. */
const HASH_LENGTH = 22;
const LOOPBACK = /^(http:\/\/(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])):\d*(?=[/?#]|$)/i;

/** Pattern of the hash part of a reference, for JavaScript and Postgres. */
export const REFERENCE_HASH = `#[A-Za-z0-9_-]{${HASH_LENGTH}}$`;
const HASH_PART = new RegExp(REFERENCE_HASH);

/**
 * The reference of a consent, stored with person and client: the tenant that the grant acts in, and a hash of the
 * redirect URI. The port of a loopback redirect does not count, because native apps listen on varying ports (RFC 8252
 * §7.3). Without a redirect URI, returns a random reference that no consent has. It is never empty, because with an
 * empty one the framework accepts any consent of the person for the client.
 */
export async function consentReference(tenant: string, redirectUri: string | undefined): Promise<string> {
  const hash = redirectUri ? await sha256(`redirect\n${redirectUri.replace(LOOPBACK, "$1")}`) : randomToken(32);
  return `${tenant}#${hash.slice(0, HASH_LENGTH)}`;
}

/** The tenant of a grant. Older references have no hash part and are the tenant itself. */
export const tenantOfReference = (reference: string): string => reference.replace(HASH_PART, "");
