import { hasEnded, type GrantDeps } from "../grants/revocation.ts";
import { findKeyRecord, type KeyDeps, type KeyRecord } from "../keys/records.ts";
import { isApiKey } from "../keys/token.ts";
import type { VerifyAccessToken } from "./access-token.ts";
import type { PresentedCredential } from "./credential.ts";
import type { Principal } from "./principal.ts";
import type { AccessRefusal } from "./refusal.ts";

export interface AuthenticateDeps {
  keys: KeyDeps;
  grants: Pick<GrantDeps, "redis">;
  verifyAccessToken: VerifyAccessToken;
}

/**
 * Turns a presented credential into a principal (R8) with one Redis request when warm: for a key its record, for a token whether its
 * grant has ended. None at all when form, checksum or signature are wrong. Fails closed: an exception of a store is the caller's 503, never a pass.
 */
export async function authenticate(
  { keys, grants, verifyAccessToken }: AuthenticateDeps,
  presented: PresentedCredential,
  resource: string,
  now: number,
): Promise<{ principal: Principal } | { refusal: AccessRefusal }> {
  if (presented.kind === "access_token") {
    const verified = await verifyAccessToken(presented.token, resource);
    if ("reason" in verified) return refuse("access_token", verified.reason);
    const { grantId } = verified.principal;
    if (grantId === null || (await hasEnded(grants, grantId))) return refuse("access_token", "the grant has ended");
    return verified;
  }
  if (!isApiKey(presented.key)) return refuse("api_key", "wrong form or checksum");
  const record = await findKeyRecord(keys, presented.key);
  if (record === null) return refuse("api_key", "unknown key");
  if (!record.enabled) return refuse("api_key", `key ${record.id} is disabled`);
  if (record.expiresAt !== null && now >= record.expiresAt) return refuse("api_key", `key ${record.id} has expired`);
  return { principal: keyPrincipal(record) };
}

function refuse(presented: "access_token" | "api_key", reason: string): { refusal: AccessRefusal } {
  return { refusal: { kind: "invalid_credential", presented, reason } };
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
