import { spendProof, verifyProof, type PresentedProof } from "../../access/credential/dpop.ts";
import type { Redis } from "../../platform/redis/redis.ts";
import { oauthError } from "../answers.ts";

/** As far as the framework lets the clock of a client be ahead; it checks the proof again when the code is used up already. */
const AHEAD_SECONDS = 5;

/**
 * Checks the proof of possession of a token request, if it has one, before anything is taken for it: a code or a refresh token is not used up
 * by a bad proof. Answers with the thumbprint of the key to bind to, or with the refusal (RFC 9449 §5). `now` is in milliseconds.
 */
export async function tokenProof(
  redis: Pick<Redis, "set">,
  presented: PresentedProof,
  now: number,
): Promise<{ thumbprint?: string } | Response> {
  if (presented.jwt === undefined) return {};
  const proof = await verifyProof(presented, { aheadSeconds: AHEAD_SECONDS }, now);
  if ("problem" in proof) return badProof(proof.problem);
  if (!(await spendProof(redis, proof))) return badProof("The proof has been used: make one for each request.");
  return { thumbprint: proof.thumbprint };
}

const badProof = (problem: string) => oauthError(400, "invalid_dpop_proof", problem);
