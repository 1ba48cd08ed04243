import { calculateJwkThumbprint, decodeProtectedHeader, EmbeddedJWK, jwtVerify, type JWK, type JWTPayload } from "jose";
import { DPOP_ALGORITHMS, PROOF_WINDOW_SECONDS } from "../../grants/dpop.ts";
import { sha256 } from "../../platform/crypto.ts";
import { redisKeys, type Redis } from "../../platform/redis/redis.ts";

/** What a request with the DPoP scheme presents. */
export interface PresentedProof {
  /** The `DPoP` header. Fetch joins repeated headers with a comma, which no JWT contains. */
  jwt: string | undefined;
  method: string;
  /** The public address of the request, without the query. Never taken from the `Host` header. */
  url: string;
}

/** What a proof must match besides the request: the access token sent with it, and the key it must be signed with. */
export interface ProofSubject {
  accessToken?: string;
  thumbprint?: string;
  /** How many seconds its `iat` may be ahead of our clock, where that is less than usual. */
  aheadSeconds?: number;
}

/** A valid proof. It may be used once: see {@link spendProof}. */
export interface VerifiedProof {
  /** SHA-256 thumbprint of its key (RFC 7638), `jkt` in tokens. */
  thumbprint: string;
  /** Identifies the proof: a hash of its key and `jti`. */
  id: string;
  /** For how many seconds it must be remembered as used. */
  seconds: number;
}

const MAX_LENGTH = 4_096;
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/** Allows for differences between the clocks of isolates. */
const MARGIN_SECONDS = 30;

/**
 * Checks a proof of possession (RFC 9449 §4.3), except that it is used for the first time. No I/O. The signature is
 * checked last. `problem` is for the client's developer and reveals only what the proof says. `now` is in milliseconds.
 */
export async function verifyProof(
  { jwt, method, url }: PresentedProof,
  { accessToken, thumbprint: known, aheadSeconds = PROOF_WINDOW_SECONDS }: ProofSubject,
  now: number,
): Promise<VerifiedProof | { problem: string }> {
  if (jwt === undefined) return { problem: "The DPoP header is missing." };
  if (jwt.length > MAX_LENGTH || !COMPACT.test(jwt)) return { problem: "Send exactly one DPoP header with one JWT." };
  const key = proofKey(jwt);
  if (typeof key === "string") return { problem: key };
  try {
    const thumbprint = await calculateJwkThumbprint(key, "sha256");
    if (known !== undefined && thumbprint !== known)
      return { problem: "The proof is signed with a different key than the one the token is bound to." };
    const { payload } = await jwtVerify(jwt, EmbeddedJWK, {
      typ: "dpop+jwt",
      algorithms: [...DPOP_ALGORITHMS],
      currentDate: new Date(now),
      clockTolerance: PROOF_WINDOW_SECONDS,
    });
    const problem = await claimProblem(payload, { method, url, accessToken, aheadSeconds, now });
    if (problem !== undefined) return { problem };
    const { jti = "", iat = 0 } = payload;
    const seconds = Math.ceil(iat + PROOF_WINDOW_SECONDS - now / 1000) + MARGIN_SECONDS;
    return { thumbprint, id: await sha256(`${thumbprint}\n${jti}`), seconds };
  } catch {
    // Only the proof was processed here, so any failure is a fault of the proof.
    return { problem: "The signature of the proof is not valid." };
  }
}

/** The public key in the header of a proof, or what is wrong with the header. */
function proofKey(jwt: string): JWK | string {
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    header = decodeProtectedHeader(jwt);
  } catch {
    return "The header of the proof is not JSON.";
  }
  const { typ, alg, jwk } = header;
  if (typ !== "dpop+jwt") return "The typ of the proof must be dpop+jwt.";
  if (!DPOP_ALGORITHMS.some((known) => known === alg))
    return `The alg of the proof must be one of ${DPOP_ALGORITHMS.join(", ")}.`;
  if (typeof jwk !== "object" || jwk === null || Array.isArray(jwk))
    return "The proof must carry its public key as jwk.";
  if (PRIVATE_MEMBERS.some((name) => name in jwk)) return "The jwk of the proof must not contain a private key.";
  return jwk;
}

interface Asked {
  method: string;
  url: string;
  aheadSeconds: number;
  now: number;
}

async function claimProblem(
  { htm, htu, iat, jti, ath }: JWTPayload,
  { method, url, accessToken, aheadSeconds, now }: Asked & { accessToken: string | undefined },
): Promise<string | undefined> {
  if (typeof jti !== "string" || jti === "") return "The proof needs a jti.";
  if (htm !== method) return "The htm of the proof is not the method of the request.";
  if (typeof htu !== "string" || withoutQuery(htu) !== url) return `The htu of the proof must be ${url}.`;
  const age = now / 1000 - (iat ?? 0);
  if (age > PROOF_WINDOW_SECONDS || age < -aheadSeconds)
    return `The iat of the proof must be at most ${PROOF_WINDOW_SECONDS} seconds old and ${aheadSeconds} seconds ahead.`;
  if (accessToken !== undefined && ath !== (await sha256(accessToken)))
    return "The ath of the proof is not the hash of the access token.";
  return undefined;
}

/** An address without query and fragment, with scheme and host normalized (RFC 9449 §4.3, RFC 3986 §6.2). */
function withoutQuery(address: string): string | undefined {
  const url = URL.parse(address);
  return url ? `${url.origin}${url.pathname}` : undefined;
}

/** Marks a proof as used; false when it was used before. */
export async function spendProof(
  redis: Pick<Redis, "set">,
  { id, seconds }: Pick<VerifiedProof, "id" | "seconds">,
): Promise<boolean> {
  return (await redis.set(redisKeys.spentProof(id), "1", { nx: true, ex: seconds })) !== null;
}
