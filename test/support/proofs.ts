import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from "jose";
import { sha256 } from "../../src/platform/crypto.ts";

/** A key pair of a client that binds its tokens. */
export async function newProofKey(alg: "ES256" | "EdDSA" = "ES256") {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  return {
    alg,
    privateKey,
    jwk,
    secretJwk: await exportJWK(privateKey),
    thumbprint: await calculateJwkThumbprint(jwk),
  };
}

export type ProofKey = Awaited<ReturnType<typeof newProofKey>>;

/** A good proof for a request, with some claims or header members changed; undefined removes one. */
export async function proofFor(
  key: ProofKey,
  { method = "POST", url, token, at }: { method?: string; url: string; token?: string; at: number },
  changed: Readonly<Record<string, unknown>> = {},
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const ath = token === undefined ? {} : { ath: await sha256(token) };
  const claims = { htm: method, htu: url, iat: Math.floor(at / 1000), jti: crypto.randomUUID(), ...ath, ...changed };
  const members = { typ: "dpop+jwt", alg: key.alg, jwk: key.jwk, ...header };
  return new SignJWT(defined(claims)).setProtectedHeader(defined(members) as { alg: string }).sign(key.privateKey);
}

const defined = (members: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
