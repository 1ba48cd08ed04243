import type { Scope } from "../../identity/scopes.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { sha256 } from "../../platform/crypto.ts";
import { mayBeApiKey, principalOf, withoutLostRole } from "../credential/authenticate.ts";
import { keyRecord, keyUserId } from "../credential/fill.ts";
import { refusalOf } from "../policy.ts";

export interface KeyCheckDeps {
  /** The write database: a replica may lag behind a revocation. */
  db: Pick<Db, "execute">;
  acceptsLegacyKeys: boolean;
}

/** What another back end asks about a key that was presented to it. */
export interface KeyQuestion {
  key: string;
  /** The tenant of the asking client, which is told only about keys of this tenant. */
  tenantId: string;
  /** Scopes that the key must hold. */
  scopes: readonly Scope[];
  /**
   * The address that the key was presented from. A key that is limited to some addresses is not valid from any other
   * address, nor from an unknown one.
   */
  address: string | null;
}

/**
 * What the asking client is told about a valid key. Null lists allow everything. The client enforces the other lists.
 */
export interface CheckedKey {
  keyId: string;
  name: string | null;
  /** Null: the key belongs to the organization. */
  userId: string | null;
  tenantId: string;
  scopes: Scope[];
  /** Epoch milliseconds; null: does not expire. */
  expiresAt: number | null;
  servers: string[] | null;
  tools: string[] | null;
}

/**
 * Whether a key is valid here and now by the rules of admission, for servers that check keys themselves. One
 * statement on Postgres, none for text that cannot be a key. Takes nothing from the key's limits or quota. Undefined
 * when the key is unknown, mistyped, of another tenant, disabled, expired, revoked, or not allowed this. `now` is in
 * epoch milliseconds.
 */
export async function checkKey(
  { db, acceptsLegacyKeys }: KeyCheckDeps,
  { key, tenantId, scopes, address }: KeyQuestion,
  now: number,
): Promise<CheckedKey | undefined> {
  if (!mayBeApiKey(key, acceptsLegacyKeys)) return undefined;
  const hash = await sha256(key);
  const known = await keyRecord({ db, limits: {} }, hash);
  if (known?.record.tenantId !== tenantId) return undefined;
  const { record } = known;
  const principal = withoutLostRole(principalOf({ kind: "api_key", key, hash }, record), record);
  if (refusalOf(record, principal, { address, scopes, server: null, tool: null, beyondTools: false }, now))
    return undefined;
  return {
    keyId: record.id,
    name: record.name,
    userId: record.userId === keyUserId(record.id) ? null : record.userId,
    tenantId,
    scopes: [...principal.scopes],
    expiresAt: record.expiresAt,
    servers: record.servers,
    tools: record.tools,
  };
}
