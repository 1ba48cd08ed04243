import { sql, type SQL } from "drizzle-orm";
import type { Actor } from "../audit/event.ts";
import { permissionsToScopes, type Scope } from "../identity/scopes.ts";
import { managesSql } from "../identity/standing.ts";
import type { Db } from "../platform/postgres/db.ts";

/** What may be known of an API key by those who manage it; never the key itself. */
export interface KeyInfo {
  id: string;
  name: string;
  /** The first characters of the key, by which its holder recognizes it. */
  start: string;
  /** Where calls with the key act. */
  tenantId: string;
  owner: "user" | "organization";
  scopes: Scope[];
  /** Null: all of them. Likewise `tools` and `addresses`. */
  servers: string[] | null;
  tools: string[] | null;
  addresses: string[] | null;
  rate: KeyRate | null;
  /** `used` is as last written down: some seconds old. */
  quota: (KeyQuota & { used: number }) | null;
  status: KeyStatus;
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  disabledUntil: Date | null;
  revokedAt: Date | null;
  revokedReason: string | null;
  /** The id of the key that takes its place. */
  rotatedTo: string | null;
}

export type KeyStatus = "active" | "disabled" | "locked" | "expired" | "revoked";

/** Calls per minute, and how many of them may come at once. */
export interface KeyRate {
  perMinute: number;
  burst: number;
}

/** Calls in a calendar month (UTC), or for good. */
export interface KeyQuota {
  max: number;
  period: "month" | "total";
}

/** Who manages keys. Their `tenantId` is the one in which the credential acts; null for a person who is signed in. */
export interface KeyActor extends Actor {
  userId: string;
  /** Of the credential; a person who is signed in has every scope that a key can hold. */
  scopes: ReadonlySet<Scope>;
  /** The credential may do less than its scopes say (lists of servers, tools or addresses, a quota): it makes and widens no keys. */
  restricted?: boolean | undefined;
}

/** What a key is made of. What is absent is as by default; null lists allow everything. */
export interface NewKey {
  name: string;
  scopes?: readonly Scope[] | undefined;
  /** By default the one that the credential acts in, or the person's own. */
  tenantId?: string | undefined;
  owner?: "user" | "organization" | undefined;
  expiresAt?: Date | null | undefined;
  servers?: readonly string[] | null | undefined;
  tools?: readonly string[] | null | undefined;
  addresses?: readonly string[] | null | undefined;
  rate?: KeyRate | null | undefined;
  quota?: KeyQuota | null | undefined;
}

/** What of a key can change; what is absent stays. */
export interface KeyChange extends Omit<NewKey, "name" | "tenantId" | "owner"> {
  name?: string | undefined;
  enabled?: boolean | undefined;
}

/** Faults of the input by field, each a sentence: what is wrong, and what to do. */
export type KeyProblems = Readonly<Partial<Record<keyof NewKey | "enabled" | "overlapSeconds", string>>>;

/** Why nothing was done. `problem` is a sentence for the caller. */
export type KeyRefusal =
  | { state: "unknown" }
  | { state: "refused"; problems: KeyProblems }
  | { state: "forbidden"; problem: string }
  | { state: "conflict"; problem: string };

export interface KeyDone {
  state: "done";
  info: KeyInfo;
}

/** A key that was made: `key` is here and nowhere else. */
export interface KeyMade extends KeyDone {
  key: string;
  /** Redis has yet to hear when the key that this one replaces ends; absent for a first key. */
  isPending?: boolean;
}

export interface KeyCommandDeps {
  db: Pick<Db, "execute" | "batch">;
  /** Brings committed changes to Redis; see `flushOutbox`. */
  flushOutbox: () => Promise<void>;
}

/** A place in the list of keys, which is sorted by creation. */
export interface KeyPosition {
  at: Date;
  id: string;
}

const MAX_PAGE = 200;

/**
 * The actor's keys, and those that belong to organizations of which they are owner or administrator; newest first, at most `limit` (200). For a
 * credential those that act in its tenant.
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

/** Whether a key `k` with the policy `p` is the actor's to manage. */
export const isManagedBy = ({ userId, tenantId }: Pick<KeyActor, "userId" | "tenantId">): SQL => sql`(
  case k.config_id when 'default' then k.reference_id = ${userId} when 'organization'
    then ${managesSql({ tenantId: sql`k.reference_id`, userId })} end
  and p.tenant_id = coalesce(${tenantId}, p.tenant_id))`;

/** The statement that reads what {@link keyOf} makes a key of; for the end of a batch that changes it. */
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

/** Columns that Postgres filled have microseconds: cut, so that a place in the list is the same as text and in the table. */
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
