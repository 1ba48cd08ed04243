import { sql } from "drizzle-orm";
import type { Db } from "../../platform/postgres/db.ts";
import { errorFields, type Log } from "../../platform/log.ts";
import type { Outbound } from "../../platform/outbound/outbound.ts";
import { readEntries, type LeftOut } from "./mirror.ts";
import { lockSource, excludeUnwanted, keepPage, releaseSource, type LockedSource, type Release } from "./source-run.ts";
import { askForPage } from "./source-page.ts";

/**
 * The dependencies of mirroring. `reachable` lists the non-public `host:port` that entries may point to (development).
 */
export interface SyncDeps {
  db: Pick<Db, "execute">;
  outbound: Outbound;
  reachable: readonly string[];
  log: Log;
  now: () => number;
}

/**
 * The bounds of one turn, so that other sources get theirs. The next turn continues where it ended. Times are in
 * milliseconds.
 */
export interface SyncBounds {
  pages: number;
  turnMs: number;
  pageMs: number;
}

const BOUNDS: SyncBounds = { pages: 20, turnMs: 20_000, pageMs: 10_000 };
/** How long after the start of a cron run new turns may begin, in milliseconds. */
const DUE_MS = 20_000;
const MAX_DUE = 20;
/**
 * Most servers mirrored from one source, and most entries read in one run, so that no registry can fill the database.
 */
const MAX_SERVERS = 100_000;
const MAX_READ = 1_000_000;
const FULL = `The limit of ${MAX_SERVERS} servers is reached; further ones are skipped. Mirror fewer names.`;

/**
 * The result of a turn. `finished`: everything was read. `unfinished`: the next turn continues. `failed`: what was
 * stored stays. `busy`: another turn is in progress, or the source is disabled or deleted.
 */
export interface SyncOutcome {
  state: "finished" | "unfinished" | "failed" | "busy";
  pages: number;
  /** Numbers of entries that were read, versions that were changed here, and entries that were skipped as invalid. */
  read: number;
  changed: number;
  leftOut: number;
  problem: string | null;
}

/**
 * Runs one turn of mirroring a source. A lease keeps turns of the same source apart. Rejects only when Postgres fails.
 */
export async function syncSource(deps: SyncDeps, id: string, bounds: SyncBounds = BOUNDS): Promise<SyncOutcome> {
  const outcome: SyncOutcome = { state: "busy", pages: 0, read: 0, changed: 0, leftOut: 0, problem: null };
  const source = await lockSource(deps.db, id, deps.now());
  if (!source) return outcome;
  try {
    const end = await readPages(deps, source, bounds, outcome);
    if (end === "lost") return { ...outcome, state: "busy" };
    if (end === "ended") return { ...outcome, state: "finished" };
    await releaseSource(deps.db, source, end, deps.now());
    return { ...outcome, state: end.problem === null ? "unfinished" : "failed" };
  } catch (error) {
    deps.log("error", "registry.sync_failed", { sourceId: id, ...errorFields(error) });
    const release = { problem: "The gateway could not store what it read.", startOver: false };
    await releaseSource(deps.db, source, release, deps.now()).catch(() => undefined);
    throw error;
  }
}

/**
 * Reads pages until the run or the turn ends, and counts into `outcome`. Returns a `Release` when the turn ended before
 * the run.
 */
async function readPages(
  deps: SyncDeps,
  source: LockedSource,
  bounds: SyncBounds,
  outcome: SyncOutcome,
): Promise<Release | "ended" | "lost"> {
  const until = deps.now() + bounds.turnMs;
  const fail = (problem: string, startOver: boolean): Release => {
    outcome.problem = problem;
    return { problem, startOver };
  };
  if (source.isFull && source.cursor === null) {
    while (await excludeUnwanted(deps.db, source, deps.now()))
      if (deps.now() >= until) return { problem: null, startOver: false };
  }
  const leftOut: LeftOut[] = [];
  const mayAdd = source.servers < MAX_SERVERS;
  const seen = new Set<string>();
  let { cursor } = source;
  while (outcome.pages < bounds.pages && deps.now() < until) {
    if (cursor !== null) seen.add(cursor);
    const asked = await askForPage(deps.outbound, { url: source.url, cursor, since: source.since }, bounds.pageMs);
    // A rejected cursor has expired: what was stored stays, and the next run begins at the first page.
    if ("fault" in asked) return fail(asked.fault.problem, asked.fault.isRefused && cursor !== null);
    const { entries, nextCursor, at } = asked.page;
    if (nextCursor !== null && seen.has(nextCursor)) return fail("The registry's pages form a loop.", true);
    const rules = { allow: source.allow, deny: source.deny, reachable: deps.reachable };
    const { rows, leftOut: bad } = readEntries(entries, rules, deps.now());
    leftOut.push(...bad);
    outcome.leftOut += bad.length;
    const kept = await keepPage(
      deps.db,
      source,
      { rows, mayAdd, read: Math.max(entries.length, 1), nextCursor, at, notice: mayAdd ? noticeOf(leftOut) : FULL },
      deps.now(),
    );
    if (!kept) return "lost";
    outcome.pages += 1;
    outcome.read += entries.length;
    outcome.changed += kept.changed;
    if (nextCursor === null) return "ended";
    if (kept.read >= MAX_READ) return fail(`The registry has too many entries: ${kept.read} were read.`, true);
    cursor = nextCursor;
  }
  return { problem: null, startOver: false };
}

/** A text such as `3 entries were skipped, such as com.example/x (too_long).` */
function noticeOf(leftOut: readonly LeftOut[]): string | null {
  const [first] = leftOut;
  if (!first) return null;
  const entries = leftOut.length === 1 ? "1 entry was" : `${leftOut.length} entries were`;
  return `${entries} skipped, such as ${first.name ?? "one without a valid name"} (${first.code}).`;
}

/** Runs one turn for each source that is due, longest waiting first. A failing source does not stop the others. */
export async function syncDue(deps: SyncDeps, bounds: SyncBounds = BOUNDS): Promise<void> {
  const began = deps.now();
  const { rows } = await deps.db.execute<{ id: string }>(sql`
    select id from registry_source
    where enabled and next_run_at <= ${new Date(began).toISOString()}::timestamptz
      and (lease_until is null or lease_until < now())
    order by next_run_at limit ${MAX_DUE}`);
  const failures: unknown[] = [];
  for (const { id } of rows) {
    if (deps.now() - began >= DUE_MS) break;
    const outcome = await syncSource(deps, id, bounds).catch((error: unknown) => void failures.push(error));
    if (outcome) deps.log("info", "registry.synced", { sourceId: id, ...outcome });
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} sources could not be mirrored`);
}
