import { hasEnded, type GrantDeps } from "../grants/revocation.ts";
import { findKeyRecord, type KeyDeps, type KeyRecord } from "../keys/records.ts";
import { isApiKey } from "../keys/token.ts";
import type { Redis } from "../platform/redis.ts";
import type { VerifiedToken, VerifyAccessToken } from "./access-token.ts";
import type { PresentedCredential } from "./credential.ts";
import { spendUnderGrants, verifyProof } from "./dpop.ts";
import type { Principal } from "./principal.ts";
import type { AccessRefusal } from "./refusal.ts";

export interface AuthenticateDeps {
  keys: KeyDeps;
  grants: { redis: GrantDeps["redis"] & Pick<Redis, "eval"> };
  verifyAccessToken: VerifyAccessToken;
}

/**
 * Turns a presented credential into a principal (R8) with one Redis request when warm: for a key its record, for a token whether its
 * grant has ended, for a bound token also whether its proof is new. None at all when form, checksum or signature are wrong. Fails closed: an exception of a store is the caller's 503, never a pass.
 */
export async function authenticate(
  { keys, grants, verifyAccessToken }: AuthenticateDeps,
  presented: PresentedCredential,
  resource: string,
  now: number,
): Promise<{ principal: Principal } | { refusal: AccessRefusal }> {
  if (presented.kind === "access_token") {
    const verified = await verifyAccessToken(presented.token, resource);
    if ("reason" in verified) return refuse("access_token", verified.reason, presented.proof && "DPoP");
    if (verified.thumbprint !== undefined) return holderOfKey(grants, presented, verified, verified.thumbprint, now);
    if (presented.proof) return { refusal: { kind: "wrong_token_scheme", presented: "DPoP" } };
    if (await tokenHasEnded(grants, verified)) return refuse("access_token", "the grant has ended");
    return { principal: verified.principal };
  }
  if (!isApiKey(presented.key)) return refuse("api_key", "wrong form or checksum");
  const record = await findKeyRecord(keys, presented.key);
  if (record === null) return refuse("api_key", "unknown key");
  if (!record.enabled) return refuse("api_key", `key ${record.id} is disabled`);
  if (record.expiresAt !== null && now >= record.expiresAt) return refuse("api_key", `key ${record.id} has expired`);
  return { principal: keyPrincipal(record) };
}

/** Lets in who proves to hold the key that the token is bound to (RFC 9449 §7). */
async function holderOfKey(
  { redis }: AuthenticateDeps["grants"],
  { token, proof }: Extract<PresentedCredential, { kind: "access_token" }>,
  verified: VerifiedToken,
  thumbprint: string,
  now: number,
): Promise<{ principal: Principal } | { refusal: AccessRefusal }> {
  if (!proof) return { refusal: { kind: "wrong_token_scheme", presented: "Bearer" } };
  if (verified.principal.grantId === null) return refuse("access_token", "no grant", "DPoP");
  const checked = await verifyProof(proof, { accessToken: token, thumbprint }, now);
  if ("problem" in checked) return { refusal: { kind: "invalid_dpop_proof", problem: checked.problem } };
  const state = await spendUnderGrants(redis, grantsOf(verified), checked);
  if (state === "ended") return refuse("access_token", "the grant has ended", "DPoP");
  if (state === "replayed")
    return { refusal: { kind: "invalid_dpop_proof", problem: "The proof has been used: make one for each request." } };
  return { principal: verified.principal };
}

/** Whether a good token has ended before its time: with its grant, or with the client that an administrator had made. */
export async function tokenHasEnded(grants: Pick<GrantDeps, "redis">, verified: VerifiedToken): Promise<boolean> {
  if (verified.principal.grantId === null) return true;
  const ended = await Promise.all(grantsOf(verified).map((id) => hasEnded(grants, id)));
  return ended.includes(true);
}

const grantsOf = ({ principal: { grantId }, clientGrantId }: VerifiedToken): string[] =>
  [grantId, clientGrantId].filter((id) => typeof id === "string");

function refuse(presented: "access_token" | "api_key", reason: string, scheme?: "DPoP"): { refusal: AccessRefusal } {
  return { refusal: { kind: "invalid_credential", presented, reason, scheme } };
}

function keyPrincipal(record: KeyRecord): Principal {
  return {
    credential: { kind: "api_key", id: record.id, name: record.name },
    userId: record.userId,
    tenantId: record.tenantId,
    scopes: new Set(record.scopes),
    clientId: null,
    grantId: null,
  };
}
