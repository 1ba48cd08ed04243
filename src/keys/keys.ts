import { sql, type SQL } from "drizzle-orm";
import type { Actor } from "../audit/event.ts";
import { permissionsToScopes, type Scope } from "../identity/scopes.ts";
import { managesSql } from "../identity/standing.ts";
import type { Db } from "../platform/postgres/db.ts";

/** What those who manage an API key may see of it; never the key itself. */
export interface KeyInfo {
  id: string;
  name: string;
  /** The first characters of the key, by which its holder recognizes it. */
  start: string;
  /** The tenant that calls with the key act in. */
  tenantId: string;
  owner: "user" | "organization";
  scopes: Scope[];
  /** Null: all of them. Likewise `tools` and `addresses`. */
  servers: string[] | null;
  tools: string[] | null;
  addresses: string[] | null;
  rate: KeyRate | null;
  /** `used` is the count last written to Postgres, some seconds old. */
  quota: (KeyQuota & { used: number }) | null;
  status: KeyStatus;
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  disabledUntil: Date | null;
  revokedAt: Date | null;
  revokedReason: string | null;
  /** The id of the key that replaced it. */
  rotatedTo: string | null;
}

export type KeyStatus = "active" | "disabled" | "locked" | "expired" | "revoked";

/** Calls per minute, and how many of them may come in a burst. */
export interface KeyRate {
  perMinute: number;
  burst: number;
}

/** Calls in a calendar month (UTC), or in total. */
export interface KeyQuota {
  max: number;
  period: "month" | "total";
}

/** Who manages keys. `tenantId` is the one that the credential acts in; null for a person who is signed in. */
export interface KeyActor extends Actor {
  userId: string;
  /** The credential's scopes. A person who is signed in has every scope that a key can hold. */
  scopes: ReadonlySet<Scope>;
  /** The credential has limits beyond its scopes (lists, a rate or a quota), so it must not create or widen keys. */
  restricted?: boolean | undefined;
}

/** The input for a new key. Absent fields get their defaults; null lists allow everything. */
export interface NewKey {
  name: string;
  scopes?: readonly Scope[] | undefined;
  /** By default the tenant that the credential acts in, or the person's personal one. */
  tenantId?: string | undefined;
  owner?: "user" | "organization" | undefined;
  expiresAt?: Date | null | undefined;
  servers?: readonly string[] | null | undefined;
  tools?: readonly string[] | null | undefined;
  addresses?: readonly string[] | null | undefined;
  rate?: KeyRate | null | undefined;
  quota?: KeyQuota | null | undefined;
}

/** The fields of a key that can change. Absent fields stay as they are. */
export interface KeyChange extends Omit<NewKey, "name" | "tenantId" | "owner"> {
  name?: string | undefined;
  enabled?: boolean | undefined;
}

/** Problems of the input by field. Each is a sentence that says what is wrong and what to do. */
export type KeyProblems = Readonly<Partial<Record<keyof NewKey | "enabled" | "overlapSeconds", string>>>;

/** Why nothing was changed. `problem` is a sentence for the caller. */
export type KeyRefusal =
  | { state: "unknown" }
  | { state: "refused"; problems: KeyProblems }
  | { state: "forbidden"; problem: string }
  | { state: "conflict"; problem: string };

export interface KeyDone {
  state: "done";
  info: KeyInfo;
}

/** A key that was created. `key` is the secret, which is returned here only. */
export interface KeyMade extends KeyDone {
  key: string;
  /** True while Redis does not know when the replaced key expires. Absent for a key that replaces none. */
  isPending?: boolean;
}

export interface KeyCommandDeps {
  db: Pick<Db, "execute" | "batch">;
  /** Sends committed changes to Redis; see `flushOutbox`. */
  flushOutbox: () => Promise<void>;
}

/** A position in the list of keys, which is sorted by creation. */
export interface KeyPosition {
  at: Date;
  id: string;
}

const MAX_PAGE = 200;

/**
 * The actor's own keys, and those of organizations of which the actor is owner or administrator. Newest first, at most
 * `limit` (200). For a credential: only the keys that act in its tenant.
 */
export async function listKeys(
  db: Pick<Db, "execute">,
  actor: Pick<KeyActor, "userId" | "tenantId">,
  { now, limit = MAX_PAGE, before }: { now: number; limit?: number; before?: KeyPosition | undefined },
): Promise<KeyInfo[]> {
  const older =
    before && sql` and (${created}, k.id) < (${before.at.toISOString()}::timestamptz at time zone 'utc', ${before.id})`;
  const { rows } = await db.execute<KeyRow>(
    sql`${selectKeys(actor, now)}${older} order by ${created} desc, k.id desc limit ${limit}`,
  );
  return rows.map((row) => toInfo(row, now));
}

/** One of the keys that {@link listKeys} lists; null for any other id. */
export async function getKey(
  db: Pick<Db, "execute">,
  actor: Pick<KeyActor, "userId" | "tenantId">,
  id: string,
  now: number,
): Promise<KeyInfo | null> {
  return keyOf((await db.execute<KeyRow>(selectKey(actor, id, now))).rows, now);
}

/** SQL: whether the actor manages the key `k` with the policy `p`. */
export const isManagedBy = ({ userId, tenantId }: Pick<KeyActor, "userId" | "tenantId">): SQL => sql`(
  case k.config_id when 'default' then k.reference_id = ${userId} when 'organization'
    then ${managesSql({ tenantId: sql`k.reference_id`, userId })} end
  and p.tenant_id = coalesce(${tenantId}, p.tenant_id))`;

/** The statement whose rows {@link keyOf} reads; for the end of a batch that changes a key. */
export const selectKey = (actor: Pick<KeyActor, "userId" | "tenantId">, id: string, now: number): SQL =>
  sql`${selectKeys(actor, now)} and k.id = ${id}`;

export interface KeyRow extends Record<string, unknown> {
  id: string;
  name: string | null;
  start: string | null;
  config_id: string;
  permissions: string | null;
  enabled: boolean;
  tenant_id: string;
  servers: string[] | null;
  tools: string[] | null;
  addresses: string[] | null;
  per_minute: number | null;
  burst: number | null;
  quota_max: string | null;
  quota_period: KeyQuota["period"] | null;
  used: string | null;
  revoked_reason: string | null;
  rotated_to: string | null;
  created: number;
  expires: number | null;
  last_used: number | null;
  disabled_until: number | null;
  revoked: number | null;
}

const selectKeys = (actor: Pick<KeyActor, "userId" | "tenantId">, now: number) => sql`
  select k.id, k.name, k.start, k.config_id, k.permissions, k.enabled is true as enabled, p.tenant_id, p.servers, p.tools,
    p.addresses, p.per_minute, p.burst, p.quota_max, p.quota_period, q.used, p.revoked_reason, p.rotated_to,
    ${milliseconds(sql`k.created_at`)} as created, ${milliseconds(sql`k.expires_at`)} as expires,
    ${milliseconds(sql`k.last_request`)} as last_used, ${milliseconds(sql`p.disabled_until`)} as disabled_until,
    ${milliseconds(sql`p.revoked_at`)} as revoked
  from apikey k join api_key_policy p on p.key_id = k.id
    left join quota_use q on q.chain_id = p.chain_id
      and q.period = case p.quota_period when 'month' then ${new Date(now).toISOString().slice(0, 7)} else 'total' end
  where ${isManagedBy(actor)}`;

/** Cuts microseconds, so that a position in the list is the same in text and in the table. */
const cut = (column: SQL) => sql`date_trunc('milliseconds', ${column})`;
const created = cut(sql`k.created_at`);
const milliseconds = (column: SQL) => sql`extract(epoch from ${cut(column)})::float8 * 1000`;
const dateOf = (time: number | null) => (time === null ? null : new Date(Math.round(time)));

/** The one key of these rows, or null. */
export const keyOf = ([row]: readonly KeyRow[], now: number): KeyInfo | null => (row ? toInfo(row, now) : null);

function toInfo(row: KeyRow, now: number): KeyInfo {
  const { id, name, start, tenant_id: tenantId, per_minute: perMinute, quota_max: max, quota_period: period } = row;
  return {
    id,
    name: name ?? "",
    start: start ?? "",
    tenantId,
    owner: row.config_id === "organization" ? "organization" : "user",
    scopes: permissionsToScopes(row.permissions === null ? null : JSON.parse(row.permissions)),
    servers: row.servers,
    tools: row.tools,
    addresses: row.addresses,
    rate: perMinute === null ? null : { perMinute, burst: row.burst ?? perMinute },
    quota: max === null || period === null ? null : { max: Number(max), period, used: Number(row.used ?? 0) },
    status: statusOf(row, now),
    createdAt: new Date(Math.round(row.created)),
    expiresAt: dateOf(row.expires),
    lastUsedAt: dateOf(row.last_used),
    disabledUntil: dateOf(row.disabled_until),
    revokedAt: dateOf(row.revoked),
    revokedReason: row.revoked_reason,
    rotatedTo: row.rotated_to,
  };
}

function statusOf(row: Pick<KeyRow, "revoked" | "expires" | "enabled" | "disabled_until">, now: number): KeyStatus {
  if (row.revoked !== null) return "revoked";
  if (row.expires !== null && row.expires <= now) return "expired";
  if (!row.enabled) return "disabled";
  return row.disabled_until !== null && row.disabled_until > now ? "locked" : "active";
}
