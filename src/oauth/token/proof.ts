import { spendProof, verifyProof, type PresentedProof } from "../../access/credential/dpop.ts";
import type { Redis } from "../../platform/redis/redis.ts";
import { oauthError } from "../answers.ts";

/**
 * How many seconds the framework lets a client's clock be ahead. It checks the proof again after the code is used up.
 */
const AHEAD_SECONDS = 5;

/**
 * Checks the proof of possession of a token request, if it has one, before the code or refresh token is taken, so that
 * a bad proof does not use it up. Returns the thumbprint of the key to bind to, or the refusal (RFC 9449 §5). `now` is
 * in milliseconds.
 */
export async function tokenProof(
  redis: Pick<Redis, "set">,
  presented: PresentedProof,
  now: number,
): Promise<{ thumbprint?: string } | Response> {
  if (presented.jwt === undefined) return {};
  const proof = await verifyProof(presented, { aheadSeconds: AHEAD_SECONDS }, now);
  if ("problem" in proof) return badProof(proof.problem);
  if (!(await spendProof(redis, proof)))
    return badProof("This proof has already been used. Create one for each request.");
  return { thumbprint: proof.thumbprint };
}

const badProof = (problem: string) => oauthError(400, "invalid_dpop_proof", problem);
