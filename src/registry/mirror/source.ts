import { sql, type SQL } from "drizzle-orm";
import { managesSql } from "../../identity/standing.ts";
import { changeEntry } from "../../audit/entry.ts";
import type { TenantActor } from "../../audit/event.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { uuidv7 } from "../../platform/crypto.ts";
import type { NameRules } from "./name-rules.ts";

/** The settings of a source that an organization can change. */
export interface SourceSettings extends NameRules {
  enabled: boolean;
  everyMinutes: number;
}

/** Another registry whose servers a tenant mirrors, as its managers see it. */
export interface Source extends SourceSettings {
  id: string;
  url: string;
  /** Number of servers mirrored from it, including deleted ones. */
  servers: number;
  isRunning: boolean;
  /** Number of entries read by the current run, or by the last one if none is in progress. */
  read: number;
  /** When the last run ended, whether it succeeded or failed. */
  lastRunAt: Date | null;
  nextRunAt: Date;
  /** A problem or notice of the last run; null: none. */
  lastProblem: string | null;
}

/** Why a change was refused. `unknown`: the tenant has no such source. */
export type SourceRefusal = "not_allowed" | "unknown" | "too_many" | "exists";

export const MAX_SOURCES = 10;
const REMOVED_AT_ONCE = 2_000;

type SourceDeps = { db: Pick<Db, "execute"> };
type Asking = Pick<TenantActor, "tenantId" | "userId">;

interface SourceRow {
  id: string;
  url: string;
  allow: string[];
  deny: string[];
  enabled: boolean;
  every: number;
  servers: number;
  running: boolean;
  read: number;
  last: number | null;
  next: number;
  problem: string | null;
}

/**
 * A row if the caller may manage sources: owners and administrators of an organization, and every person in their own.
 */
const manager = ({ tenantId, userId }: Asking): SQL => sql`manager as (
  select ${tenantId}::text as tenant_id where ${managesSql({ tenantId, userId })}
)`;

const shown =
  sql.raw(`json_build_object('id', r.id, 'url', r.url, 'allow', r.allow, 'deny', r.deny, 'enabled', r.enabled,
  'every', r.every_minutes, 'servers', (select count(*) from registry_server where source_id = r.id),
  'running', coalesce(r.lease_until > now(), false), 'read', r.mirrored, 'problem', r.last_problem,
  'last', extract(epoch from r.last_run_at) * 1000, 'next', extract(epoch from r.next_run_at) * 1000)`);

const sourceOf = ({ every, running, last, next, problem, ...row }: SourceRow): Source => ({
  ...row,
  everyMinutes: every,
  isRunning: running,
  lastRunAt: last === null ? null : new Date(last),
  nextRunAt: new Date(next),
  lastProblem: problem,
});

/** The sources of the caller's tenant, oldest first. */
export async function listSources({ db }: SourceDeps, asking: Asking): Promise<Source[] | "not_allowed"> {
  const { rows } = await db.execute<{ may: boolean; sources: SourceRow[] }>(sql`
    with ${manager(asking)}
    select exists (select 1 from manager) as may,
      (select coalesce(json_agg(${shown} order by r.id), '[]') from registry_source r join manager m on m.tenant_id = r.tenant_id) as sources`);
  const [row] = rows;
  return row?.may ? row.sources.map(sourceOf) : "not_allowed";
}

/** One source of the caller's tenant. */
export async function findSource({ db }: SourceDeps, asking: Asking, id: string): Promise<Source | SourceRefusal> {
  const { rows } = await db.execute<{ may: boolean; source: SourceRow | null }>(sql`
    with ${manager(asking)}
    select exists (select 1 from manager) as may,
      (select ${shown} from registry_source r join manager m on m.tenant_id = r.tenant_id where r.id = ${id}::uuid) as source`);
  const [row] = rows;
  if (!row?.may) return "not_allowed";
  return row.source === null ? "unknown" : sourceOf(row.source);
}

/** Adds a source. Its first run is due immediately. `now` is in epoch milliseconds. */
export async function addSource(
  { db }: SourceDeps,
  actor: TenantActor,
  { url, allow, deny, enabled, everyMinutes }: SourceSettings & { url: string },
  now: number,
): Promise<{ id: string } | SourceRefusal> {
  const id = uuidv7(now);
  const { rows } = await db.execute<{ may: boolean; sources: number; known: boolean; made: boolean }>(sql`
    with ${manager(actor)}, there as (
      select url from registry_source where tenant_id = ${actor.tenantId}
    ), made as (
      insert into registry_source (id, tenant_id, url, allow, deny, enabled, every_minutes, next_run_at)
      select ${id}::uuid, tenant_id, ${url}, ${texts(allow)}, ${texts(deny)}, ${enabled}, ${everyMinutes},
        ${new Date(now).toISOString()}::timestamptz
      from manager where (select count(*) from there) < ${MAX_SOURCES} and ${url} not in (select url from there)
      returning tenant_id, id::text as target
    ), entry as (${changeEntry({ event: "registry.source_added", actor, now, from: sql`made`, detail: { url } })})
    select exists (select 1 from manager) as may, (select count(*)::int from there) as sources,
      ${url} in (select url from there) as known, exists (select 1 from made) as made`);
  const [row] = rows;
  if (row?.made) return { id };
  if (!row?.may) return "not_allowed";
  return row.known ? "exists" : "too_many";
}

/**
 * Changes the given settings. After a change of the name rules, the next run reads everything again from the first
 * page, because names may have become included or excluded. A turn in progress loses its lease when the rules change or
 * the source is disabled.
 */
export async function changeSource(
  { db }: SourceDeps,
  actor: TenantActor,
  { id, ...change }: Partial<SourceSettings> & { id: string },
  now: number,
): Promise<"done" | SourceRefusal> {
  const { allow, deny, enabled, everyMinutes } = change;
  const rules = allow !== undefined || deny !== undefined;
  const given = [
    ...(allow ? [sql`allow = ${texts(allow)}`] : []),
    ...(deny ? [sql`deny = ${texts(deny)}`] : []),
    ...(enabled === undefined ? [] : [sql`enabled = ${enabled}`]),
    ...(everyMinutes === undefined ? [] : [sql`every_minutes = ${everyMinutes}`]),
    ...(rules ? [sql`since = null, cursor = null, run_began = null`] : []),
    ...(rules || enabled === false ? [sql`lease_until = null, lease_holder = null`] : []),
    sql`next_run_at = ${new Date(now).toISOString()}::timestamptz`,
  ];
  const detail = { changed: Object.keys(change).join(", ") };
  const { rows } = await db.execute<{ may: boolean; done: boolean }>(sql`
    with ${manager(actor)}, changed as (
      update registry_source r set ${sql.join(given, sql`, `)} from manager m
      where r.id = ${id}::uuid and r.tenant_id = m.tenant_id returning r.tenant_id, r.id::text as target
    ), entry as (${changeEntry({ event: "registry.source_changed", actor, now, from: sql`changed`, detail })})
    select exists (select 1 from manager) as may, exists (select 1 from changed) as done`);
  if (!rows[0]?.may) return "not_allowed";
  return rows[0].done ? "done" : "unknown";
}

/**
 * Disables a source, then removes it and the servers mirrored from it, in batches. False when `until` is reached first;
 * another call continues. `clock` returns epoch milliseconds.
 */
export async function removeSource(
  { db }: SourceDeps,
  actor: TenantActor,
  id: string,
  { clock, until }: { clock: () => number; until: number },
): Promise<boolean | SourceRefusal> {
  const stopped = await changeSource({ db }, actor, { id, enabled: false }, clock());
  if (stopped !== "done") return stopped;
  do {
    const { rows } = await db.execute<{ left: boolean }>(sql`
      with removed as (
        delete from registry_server where id in (
          select id from registry_server where source_id = ${id}::uuid limit ${REMOVED_AT_ONCE}) returning 1
      )
      select count(*) = ${REMOVED_AT_ONCE} as left from removed`);
    if (rows[0]?.left === false) {
      await db.execute(sql`
        with gone as (
          delete from registry_source where id = ${id}::uuid and tenant_id = ${actor.tenantId} returning tenant_id, id::text as target
        ) ${changeEntry({ event: "registry.source_removed", actor, now: clock(), from: sql`gone`, detail: {} })}`);
      return true;
    }
  } while (clock() < until);
  return false;
}

const texts = (list: readonly string[]): SQL => sql`${sql.param([...list])}::text[]`;
