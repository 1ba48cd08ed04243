/**
 * Signature algorithms of proofs of possession (RFC 9449 §5.1). No RSA: the proof of an unauthenticated caller is
 * checked with the key that it contains, and an RSA key can be chosen to make that costly.
 */
export const DPOP_ALGORITHMS = ["ES256", "EdDSA"] as const;

/** How many seconds the time of a proof may differ from ours. */
export const PROOF_WINDOW_SECONDS = 60;
