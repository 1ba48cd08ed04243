import { DPOP_ALGORITHMS } from "../grants/dpop.ts";

/** The error codes of a DPoP challenge (RFC 9449 §7.1, RFC 6750 §3.1). The server never asks for a nonce. */
export type DpopError = "invalid_token" | "invalid_dpop_proof";

/**
 * `WWW-Authenticate` of RFC 9449 §7.1; `metadata` is the address of the protected resource metadata (RFC 9728 §5.1).
 */
export function dpopChallenge(error: DpopError, metadata?: string): string {
  const where = metadata === undefined ? "" : `, resource_metadata="${metadata}"`;
  return `DPoP error="${error}", algs="${DPOP_ALGORITHMS.join(" ")}"${where}`;
}

/** What to do about a token sent with the wrong scheme, by the scheme that was used. */
export const WRONG_SCHEME = {
  Bearer: "This access token is bound to a key. Send it as Authorization: DPoP, with a proof in the DPoP header.",
  DPoP: "This access token is not bound to a key. Send it as Authorization: Bearer.",
} as const;
