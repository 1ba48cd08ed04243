import { decodeJwt } from "jose";
import { hasEnded, type GrantDeps } from "../../grants/revocation.ts";
import { isApiKey, looksLikeApiKey } from "../../keys/token.ts";
import { sha256 } from "../../platform/crypto.ts";
import type { VerifiedToken, VerifyAccessToken } from "./access-token.ts";
import type { PresentedCredential } from "./credential.ts";
import { verifyProof, type VerifiedProof } from "./dpop.ts";
import type { GrantClaims } from "./fill.ts";
import type { RecordMemory } from "./memory.ts";
import type { Principal } from "../principal.ts";
import type { CredentialRecord } from "../record.ts";
import { redisKeys } from "../../platform/redis/redis.ts";
import type { AccessRefusal } from "../refusal.ts";
import type { FailedAttempts } from "../failed-attempts.ts";

/** A credential that passed all checks that need no I/O. Admission decides whether it is valid here and now. */
export type CheckedCredential =
  | { kind: "api_key"; key: string; hash: string }
  | { kind: "access_token"; verified: VerifiedToken; grant: GrantClaims; proof: VerifiedProof | undefined };

export interface AuthenticateDeps {
  verifyAccessToken: VerifyAccessToken;
  failedAttempts: FailedAttempts;
  memory: Pick<RecordMemory, "get">;
  /** Whether keys without our form are looked up, as keys of the old system. */
  acceptsLegacyKeys: boolean;
}

/** The form of old keys: long enough for the look-up by prefix, and bounded in length. */
const LEGACY_KEY = /^[\x21-\x7e]{16,512}$/;
/**
 * Checks the credential itself: form and checksum of a key; signature and claims of a token for this resource; the
 * proof of possession of a bound token. No I/O once the isolate has the signing keys. An address that keeps failing is
 * refused before any cryptography, except for credentials that this isolate knows. `now` is in milliseconds.
 */
export async function authenticate(
  deps: AuthenticateDeps,
  presented: PresentedCredential,
  { resource, address }: { resource: string; address: string | null },
  now: number,
): Promise<{ credential: CheckedCredential } | { refusal: AccessRefusal }> {
  const shutOut = deps.failedAttempts.refusalOf(address, now);
  if (shutOut && presented.kind === "access_token" && !isOfKnownGrant(deps, presented.token))
    return { refusal: shutOut };
  const checked =
    presented.kind === "access_token"
      ? await bearer(deps, presented, resource, now)
      : await apiKey(deps, presented.key);
  if ("refusal" in checked) {
    if (shutOut) return { refusal: shutOut };
    deps.failedAttempts.failed(address, now);
  } else if (shutOut && checked.credential.kind === "api_key") {
    if (!deps.memory.get(redisKeys.keyRecord(checked.credential.hash))) return { refusal: shutOut };
  }
  return checked;
}

/** Whether a key is worth a look-up: form and checksum are right, or it may be of the old system. No I/O. */
export const mayBeApiKey = (key: string, acceptsLegacyKeys: boolean): boolean =>
  looksLikeApiKey(key) ? isApiKey(key) : acceptsLegacyKeys && LEGACY_KEY.test(key);

/** Grant ids are random: a caller that names one known to this isolate has seen a token of that grant. */
function isOfKnownGrant({ memory }: AuthenticateDeps, token: string): boolean {
  try {
    const { grant } = decodeJwt(token);
    return typeof grant === "string" && memory.get(redisKeys.grantRecord(grant)) !== undefined;
  } catch {
    return false;
  }
}

async function apiKey(
  { acceptsLegacyKeys }: AuthenticateDeps,
  key: string,
): Promise<{ credential: CheckedCredential } | { refusal: AccessRefusal }> {
  if (!mayBeApiKey(key, acceptsLegacyKeys)) return refuse("api_key", "wrong form or checksum");
  return { credential: { kind: "api_key", key, hash: await sha256(key) } };
}

async function bearer(
  { verifyAccessToken }: AuthenticateDeps,
  { token, proof }: Extract<PresentedCredential, { kind: "access_token" }>,
  resource: string,
  now: number,
): Promise<{ credential: CheckedCredential } | { refusal: AccessRefusal }> {
  const verified = await verifyAccessToken(token, resource);
  if ("reason" in verified) return refuse("access_token", verified.reason, proof && "DPoP");
  const { principal, clientGrantId, thumbprint } = verified;
  const { grantId, clientId, userId, tenantId } = principal;
  if (grantId === null || clientId === null) return refuse("access_token", "no grant", proof && "DPoP");
  const grant = { grantId, clientGrantId, clientId, userId, tenantId };
  if (thumbprint === undefined) {
    if (proof) return { refusal: { kind: "wrong_token_scheme", presented: "DPoP" } };
    return { credential: { kind: "access_token", verified, grant, proof: undefined } };
  }
  if (!proof) return { refusal: { kind: "wrong_token_scheme", presented: "Bearer" } };
  const checked = await verifyProof(proof, { accessToken: token, thumbprint }, now);
  if ("problem" in checked) return { refusal: { kind: "invalid_dpop_proof", problem: checked.problem } };
  return { credential: { kind: "access_token", verified, grant, proof: checked } };
}

/** Whether a valid token has ended early: with its grant, or with the client that an administrator created. */
export async function tokenHasEnded(
  grants: Pick<GrantDeps, "redis">,
  { principal: { grantId }, clientGrantId }: VerifiedToken,
): Promise<boolean> {
  if (grantId === null) return true;
  const ids = [grantId, clientGrantId].filter((id) => typeof id === "string");
  return (await Promise.all(ids.map((id) => hasEnded(grants, id)))).includes(true);
}
/** The principal of a checked credential and its record. */
/** Who calls, by a credential and the record that stands behind it. */
export function principalOf(credential: CheckedCredential, record: CredentialRecord): Principal {
  if (credential.kind === "access_token") return credential.verified.principal;
  const { servers, tools, addresses, quota, hasOwnRate } = record;
  return {
    credential: { kind: "api_key", id: record.id, name: record.name },
    userId: record.userId,
    tenantId: record.tenantId,
    scopes: new Set(record.scopes),
    clientId: null,
    grantId: null,
    servers,
    tools,
    restricted: hasOwnRate || [servers, tools, addresses, quota].some((rule) => rule !== null),
  };
}

/** The principal without the scope `admin`, unless its user is an administrator now. */
export const withoutLostRole = (principal: Principal, { isAdministrator }: CredentialRecord): Principal =>
  isAdministrator || !principal.scopes.has("admin")
    ? principal
    : { ...principal, scopes: new Set([...principal.scopes].filter((scope) => scope !== "admin")) };

function refuse(presented: "access_token" | "api_key", reason: string, scheme?: "DPoP"): { refusal: AccessRefusal } {
  return { refusal: { kind: "invalid_credential", presented, reason, scheme } };
}
