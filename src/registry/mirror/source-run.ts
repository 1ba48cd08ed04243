import { sql, type SQL } from "drizzle-orm";
import type { Db } from "../../platform/postgres/db.ts";
import { takeOver } from "./statement.ts";
import type { MirrorRow } from "./mirror.ts";
import { likePattern, type NameRules } from "./name-rules.ts";

/**
 * Longer than a page's deadline and its statement. When it expires, the turn is considered dead and the next turn
 * continues.
 */
const LEASE = sql.raw("interval '60 seconds'");
/**
 * A registry's machines have different clocks, and its writes take time: each run reads again what changed shortly
 * before the last one.
 */
const OVERLAP = sql.raw("interval '5 minutes'");
const RETRY_MINUTES = 10;
const EXCLUDED_AT_ONCE = 2_000;
const EXCLUDED = "This organization no longer mirrors this server.";

/**
 * A source whose lease one turn holds. Each statement checks `holder`, so a turn that lost its lease writes nothing
 * more.
 */
export interface LockedSource extends NameRules {
  id: string;
  holder: string;
  url: string;
  /** The page to read; null: the first. */
  cursor: string | null;
  since: Date | null;
  /** Whether the run reads everything, not only changes. */
  isFull: boolean;
  /** How many servers were mirrored from it. */
  servers: number;
}

interface LockedSourceRow extends Record<string, unknown> {
  url: string;
  allow: string[];
  deny: string[];
  cursor: string | null;
  since: string | null;
  servers: number;
}

type RunDeps = Pick<Db, "execute">;

const timestamp = (now: number): SQL => sql`${new Date(now).toISOString()}::timestamptz`;

/**
 * Takes the lease and begins a run unless one is in progress. Null when another turn holds it, or the source is
 * disabled or deleted.
 */
export async function lockSource(db: RunDeps, id: string, now: number): Promise<LockedSource | null> {
  const holder = crypto.randomUUID();
  const { rows } = await db.execute<LockedSourceRow>(sql`
    update registry_source set lease_holder = ${holder}::uuid, lease_until = now() + ${LEASE},
      run_began = coalesce(run_began, ${timestamp(now)}),
      mirrored = case when run_began is null then 0 else mirrored end,
      cursor = case when run_began is null then null else cursor end
    where id = ${id}::uuid and enabled and (lease_until is null or lease_until < now())
    returning url, allow, deny, cursor, since,
      (select count(*)::int from registry_server where source_id = ${id}::uuid) as servers`);
  const [row] = rows;
  if (!row) return null;
  const since = row.since === null ? null : new Date(row.since);
  return { ...row, id, holder, since, isFull: since === null };
}

/**
 * What a turn stores of a page. `at` is the time by the registry's clock; `notice` is a text about the run for
 * managers.
 */
export interface KeptPage {
  rows: readonly MirrorRow[];
  /** Whether new servers may be added. */
  mayAdd: boolean;
  read: number;
  nextCursor: string | null;
  at: number | null;
  notice: string | null;
}

/**
 * Stores a page and advances the cursor in one statement: a turn that is killed has done both or neither. After the
 * last page the run ends. Null when another turn has taken the lease.
 */
export async function keepPage(
  db: RunDeps,
  { id, holder }: Pick<LockedSource, "id" | "holder">,
  { rows, mayAdd, read, nextCursor, at, notice }: KeptPage,
  now: number,
): Promise<{ changed: number; read: number } | null> {
  const began = sql`least(r.run_began, ${at === null ? null : new Date(Math.min(at, now)).toISOString()}::timestamptz)`;
  const progress =
    nextCursor === null
      ? sql`cursor = null, run_began = null, since = ${began} - ${OVERLAP}, last_run_at = ${timestamp(now)},
        last_problem = ${notice}::text, next_run_at = ${timestamp(now)} + make_interval(mins => r.every_minutes),
        lease_until = null, lease_holder = null`
      : sql`cursor = ${nextCursor}, run_began = ${began}, last_problem = coalesce(${notice}::text, r.last_problem),
        lease_until = now() + ${LEASE}`;
  const answer = await db.execute<{ changed: number; read: number }>(sql`
    with source as (
      select id, tenant_id from registry_source where id = ${id}::uuid and lease_holder = ${holder}::uuid for update
    ), ${takeOver(rows, { mayAdd, now })}, moved as (
      update registry_source r set mirrored = r.mirrored + ${read}, ${progress} from source where r.id = source.id
      returning r.mirrored
    )
    select (select count(*) from written)::int + (select count(*) from demoted)::int as changed, mirrored as read from moved`);
  return answer.rows[0] ?? null;
}

/**
 * Why a turn ended before its run did. `startOver`: the cursor is no longer valid, so the next run begins at the first
 * page.
 */
export interface Release {
  problem: string | null;
  startOver: boolean;
}

/**
 * Releases the lease. Without a problem the next turn may start at once. With one, mirrored versions stay, and the
 * source is retried later.
 */
export async function releaseSource(
  db: RunDeps,
  { id, holder }: Pick<LockedSource, "id" | "holder">,
  { problem, startOver }: Release,
  now: number,
): Promise<void> {
  await db.execute(sql`
    update registry_source set lease_until = null, lease_holder = null,
      last_problem = coalesce(${problem}::text, last_problem),
      last_run_at = case when ${problem !== null}::boolean then ${timestamp(now)} else last_run_at end,
      cursor = case when ${startOver}::boolean then null else cursor end,
      run_began = case when ${startOver}::boolean then null else run_began end,
      next_run_at = ${timestamp(now)} + case when ${problem !== null}::boolean
        then make_interval(mins => least(every_minutes, ${RETRY_MINUTES})) else interval '0' end
    where id = ${id}::uuid and lease_holder = ${holder}::uuid`);
}

/** Marks a batch of versions that the current name rules exclude as deleted. True while there may be more. */
export async function excludeUnwanted(
  db: RunDeps,
  { id, holder, allow, deny }: Pick<LockedSource, "id" | "holder" | keyof NameRules>,
  now: number,
): Promise<boolean> {
  const like = (patterns: readonly string[]) =>
    sql`lower(s.name) like any (${sql.param(patterns.map(likePattern))}::text[])`;
  const { rows } = await db.execute<{ count: number }>(sql`
    with source as (
      update registry_source set lease_until = now() + ${LEASE}
      where id = ${id}::uuid and lease_holder = ${holder}::uuid returning id
    ), unwanted as (
      select v.server_id, v.version from source join registry_server s on s.source_id = source.id
        join registry_version v on v.server_id = s.id
      where v.status <> 'deleted' and (not ${like(allow)} or ${like(deny)}) limit ${EXCLUDED_AT_ONCE}
    ), marked as (
      update registry_version v set status = 'deleted', status_message = ${EXCLUDED}, status_changed_at = ${timestamp(now)},
        updated_at = ${timestamp(now)}
      from unwanted u where v.server_id = u.server_id and v.version = u.version
      returning 1
    )
    select count(*)::int as count from marked`);
  return rows[0]?.count === EXCLUDED_AT_ONCE;
}
