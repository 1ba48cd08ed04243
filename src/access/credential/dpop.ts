import { calculateJwkThumbprint, decodeProtectedHeader, EmbeddedJWK, jwtVerify, type JWK, type JWTPayload } from "jose";
import { DPOP_ALGORITHMS, PROOF_WINDOW_SECONDS } from "../../grants/dpop.ts";
import { sha256 } from "../../platform/crypto.ts";
import { redisKeys, type Redis } from "../../platform/redis/redis.ts";

/** What came with a request that uses the DPoP scheme. */
export interface PresentedProof {
  /** The `DPoP` header. Fetch joins repeated headers with a comma, which no JWT contains. */
  jwt: string | undefined;
  method: string;
  /** Our public address of the request, without the query: never what a `Host` header says. */
  url: string;
}

/** What a proof must fit beside the request: the token that it comes with, and the key that is known already. */
export interface ProofSubject {
  accessToken?: string;
  thumbprint?: string;
  /** How far its time may be ahead of ours, in seconds, where that is less than usual. */
  aheadSeconds?: number;
}

/** A good proof. It is good once: see {@link spendProof}. */
export interface VerifiedProof {
  /** SHA-256 thumbprint of its key (RFC 7638), `jkt` in tokens. */
  thumbprint: string;
  /** Stands for its key and `jti`. */
  id: string;
  /** How long it must be remembered as spent. */
  seconds: number;
}

const MAX_LENGTH = 4_096;
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/** Clocks of isolates differ. */
const MARGIN_SECONDS = 30;

/**
 * Checks a proof of possession (RFC 9449 §4.3) but for its being new. No I/O; a signature is checked last, when everything else fits.
 * `problem` is for the client's developer and says nothing that the proof does not. `now` is in milliseconds.
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
    if (known !== undefined && thumbprint !== known) return { problem: "The proof is of another key than the token." };
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
    // Only the proof itself was worked on: whatever fails is wrong with it.
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
  if (PRIVATE_MEMBERS.some((name) => name in jwk)) return "The jwk of the proof must hold no private key.";
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

/** An address without what proofs leave out, its scheme and host in one spelling (RFC 9449 §4.3, RFC 3986 §6.2). */
function withoutQuery(address: string): string | undefined {
  const url = URL.parse(address);
  return url ? `${url.origin}${url.pathname}` : undefined;
}

/** Uses a proof up; false when it has been used before. */
export async function spendProof(
  redis: Pick<Redis, "set">,
  { id, seconds }: Pick<VerifiedProof, "id" | "seconds">,
): Promise<boolean> {
  return (await redis.set(redisKeys.spentProof(id), "1", { nx: true, ex: seconds })) !== null;
}
