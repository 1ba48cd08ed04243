import { importJWK, type JWK } from "jose";

/** A client's public keys (RFC 7517 §5) for `private_key_jwt`. */
export interface ClientKeys {
  keys: Record<string, unknown>[];
}

const MAX_KEYS = 10;
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/** Lengths of an RSA modulus in base64url: 2048 to 8192 bits. */
const RSA_LENGTHS = { min: 342, max: 1_366 };

/** Algorithms by type of key. The first is used when the key names none. */
const ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  "EC P-256": ["ES256"],
  "EC P-384": ["ES384"],
  "EC P-521": ["ES512"],
  "OKP Ed25519": ["EdDSA"],
  RSA: ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
};

/**
 * What is wrong with a client's keys; undefined when nothing is. Refuses private and symmetric keys, which should never
 * be sent.
 */
export async function clientKeysProblem({ keys }: ClientKeys): Promise<string | undefined> {
  if (keys.length === 0 || keys.length > MAX_KEYS) return `must hold between one and ${MAX_KEYS} keys`;
  const ids = keys.map(({ kid }) => kid);
  if (keys.length > 1 && (ids.some((kid) => typeof kid !== "string") || new Set(ids).size !== ids.length))
    return "must give each key a unique kid when there are several";
  for (const key of keys) {
    if (PRIVATE_MEMBERS.some((member) => member in key)) return "must hold public keys only";
    const algorithms = ALGORITHMS[key["kty"] === "RSA" ? "RSA" : `${String(key["kty"])} ${String(key["crv"])}`];
    if (!algorithms) return "must hold EC (P-256, P-384, P-521), Ed25519 or RSA keys";
    const algorithm = key["alg"] ?? algorithms[0];
    if (typeof algorithm !== "string" || !algorithms.includes(algorithm))
      return `has a key whose alg does not fit: use ${algorithms.join(", ")}`;
    if (key["use"] !== undefined && key["use"] !== "sig") return "must hold keys for signatures (use: sig)";
    if (!hasGoodModulus(key)) return "must hold RSA keys of 2048 to 8192 bits";
    if (!(await isUsable(key, algorithm))) return "has a key that cannot be read";
  }
  return undefined;
}

function hasGoodModulus({ kty, n }: Record<string, unknown>): boolean {
  return kty !== "RSA" || (typeof n === "string" && n.length >= RSA_LENGTHS.min && n.length <= RSA_LENGTHS.max);
}

async function isUsable(key: JWK, algorithm: string): Promise<boolean> {
  try {
    await importJWK(key, algorithm);
    return true;
  } catch {
    return false;
  }
}
