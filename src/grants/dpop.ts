/**
 * Signatures that a proof of possession may have (RFC 9449 §5.1). No RSA: a stranger's proof is checked with the key that it brings along,
 * and an RSA key can be chosen to make that dear.
 */
export const DPOP_ALGORITHMS = ["ES256", "EdDSA"] as const;

/** How far the time of a proof may be from ours, in seconds. */
export const PROOF_WINDOW_SECONDS = 60;
