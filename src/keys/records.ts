import { sql } from "drizzle-orm";
import { permissionsToScopes, type Scope } from "../auth/scopes.ts";
import { personalTenantId } from "../auth/tenants.ts";
import { sha256 } from "../platform/crypto.ts";
import type { Db } from "../platform/db.ts";
import { redisKeys, type Redis } from "../platform/redis.ts";

/** What a call needs to know of an API key. Cached in Redis without the key or anything that leads back to it. */
export interface KeyRecord {
  id: string;
  name: string | null;
  userId: string;
  tenantId: string;
  scopes: Scope[];
  enabled: boolean;
  /** Epoch milliseconds; null: does not expire. */
  expiresAt: number | null;
}

export interface KeyDeps {
  redis: Pick<Redis, "get" | "set">;
  db: Pick<Db, "execute">;
}

/** The stated bound: a change that Redis missed is in force after this many seconds. */
const RECORD_SECONDS = 30;
const UNKNOWN_SECONDS = 5;

/** Stands in the cache for a while after a change: who reads it asks Postgres, and a fill that began before the change cannot replace it. */
const CHANGED = "changed";
const CHANGED_SECONDS = 60;

/**
 * The record of an API key, from the Redis cache or else from Better Auth's `apikey` table (R7, R9); null when there is none.
 * One Redis request when warm. The caller has checked form and checksum, and decides on `enabled` and `expiresAt`.
 */
export async function findKeyRecord({ redis, db }: KeyDeps, key: string): Promise<KeyRecord | null> {
  const hash = await sha256(key);
  const cacheKey = redisKeys.apiKey(hash);
  const cached = await redis.get<string>(cacheKey);
  const known = cached === null ? undefined : parseRecord(cached);
  if (known !== undefined) return known;
  const record = await readKeyRecord(db, hash);
  if (cached === null) {
    const ex = record === null ? UNKNOWN_SECONDS : RECORD_SECONDS;
    await redis.set(cacheKey, JSON.stringify(record), { ex, nx: true });
  }
  return record;
}

/** Makes the next call with this key read Postgres again; call it after the change is committed and before it is confirmed. */
export async function forgetKeyRecord({ redis }: Pick<KeyDeps, "redis">, hash: string): Promise<void> {
  await redis.set(redisKeys.apiKey(hash), CHANGED, { ex: CHANGED_SECONDS });
}

/** Undefined for what is no record of ours: then Postgres decides. */
function parseRecord(text: string): KeyRecord | null | undefined {
  if (text === CHANGED) return undefined;
  try {
    const record = JSON.parse(text) as KeyRecord | null;
    return record === null || (typeof record.id === "string" && Array.isArray(record.scopes)) ? record : undefined;
  } catch {
    return undefined;
  }
}

interface Row extends Record<string, unknown> {
  id: string;
  name: string | null;
  user_id: string;
  permissions: string | null;
  enabled: boolean | null;
  expires_at: string | null;
}

/** The SELECT goes to the write URL: a replica may lag behind a revocation. */
async function readKeyRecord(db: Pick<Db, "execute">, hash: string): Promise<KeyRecord | null> {
  const { rows } = await db.execute<Row>(sql`
    select k.id, k.name, u.id as user_id, k.permissions, k.enabled and not coalesce(u.banned, false) as enabled, k.expires_at
    from apikey k join "user" u on u.id = k.reference_id
    where k.key = ${hash} and k.config_id = 'default'`);
  const [row] = rows;
  if (!row) return null;
  return {
    id: row.id,
    name: row.name,
    userId: row.user_id,
    tenantId: personalTenantId(row.user_id),
    scopes: permissionsToScopes(row.permissions === null ? null : JSON.parse(row.permissions)),
    enabled: row.enabled === true,
    expiresAt: row.expires_at === null ? null : Date.parse(`${row.expires_at}Z`),
  };
}
