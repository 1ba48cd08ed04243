import { sql } from "drizzle-orm";
import type { Db } from "../platform/postgres/db.ts";
import { redisKeys } from "../platform/redis/redis.ts";
import { redisScript, type RunScript } from "../platform/redis/script.ts";
import { insertRows, type AuditRow } from "./entry.ts";
import { auditIntent } from "./schema.ts";

export interface DrainDeps {
  db: Pick<Db, "execute">;
  runScript: RunScript;
}

/** An intent of this age has lost its isolate: its outcome will not be written any more. */
const ORPHAN_MS = 300_000;
const PAGE = 500;
const MAX_PAGES = 20;

const READ = redisScript(`return redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])`);
const REMOVE = redisScript(`return redis.call('XDEL', KEYS[1], unpack(ARGV))`);

/** An entry of the stream. Kind `i`: an intent; `o`: an outcome. */
interface Entry {
  streamId: string;
  kind: string;
  row: AuditRow;
}

/**
 * Moves entries that isolates left in the streams and in `audit_intent` to Postgres: outcomes that could not be
 * written, and intents whose isolate ended before the outcome; their outcome is then `unknown`. It can be repeated: an
 * event has a fixed id, and entries are removed only once Postgres has them. Returns how many entries it has settled.
 * `now` is in epoch milliseconds.
 */
export async function drain(deps: DrainDeps, shards: readonly number[], now: number): Promise<number> {
  let settled = 0;
  for (const shard of shards) settled += await drainStream(deps, shard, now);
  const { rows } = await deps.db.execute<{ id: string }>(sql`
    with old as (
      delete from ${auditIntent} where at < ${new Date(now - ORPHAN_MS).toISOString()}::timestamptz returning id, entry
    ), written as (${insertRows(sql`(select coalesce(jsonb_agg(entry), '[]') from old)`)})
    select id from old`);
  return settled + rows.length;
}

async function drainStream({ db, runScript }: DrainDeps, shard: number, now: number): Promise<number> {
  const keys = [redisKeys.auditStream(shard)];
  const entries = await readStream(runScript, keys);
  const outcomes = new Map(entries.filter(({ kind }) => kind === "o").map(({ row }) => [row.id, row]));
  const isDue = ({ row }: Entry) => outcomes.has(row.id) || now - Date.parse(row.at) > ORPHAN_MS;
  const due = entries.filter(isDue);
  for (let at = 0; at < due.length; at += PAGE) {
    const page = due.slice(at, at + PAGE);
    const rows = new Map(page.map(({ row }) => [row.id, outcomes.get(row.id) ?? row]));
    await db.execute(insertRows(sql`${JSON.stringify([...rows.values()])}::jsonb`));
    await runScript(
      REMOVE,
      keys,
      page.map(({ streamId }) => streamId),
    );
  }
  return due.length;
}

/** Reads the oldest entries, over several pages: the outcome of an event may be pages after its intent. */
async function readStream(runScript: RunScript, keys: string[]): Promise<Entry[]> {
  const entries: Entry[] = [];
  let from = "-";
  for (let page = 0; page < MAX_PAGES; page++) {
    const read = await runScript(READ, keys, [from, String(PAGE)]);
    if (!Array.isArray(read)) break;
    entries.push(...parseEntries(read));
    // The next page begins after the last entry read, even if it could not be parsed, so that unreadable entries do not
    // hide those behind them.
    const [lastId] = (read.at(-1) ?? []) as unknown[];
    if (typeof lastId !== "string" || read.length < PAGE) break;
    from = `(${lastId}`;
  }
  return entries;
}

/** The entries that are events. Others stay in the stream, so that an operator can look at them. */
function parseEntries(read: unknown): Entry[] {
  if (!Array.isArray(read)) return [];
  return read.flatMap((entry: unknown) => {
    const [streamId, fields] = Array.isArray(entry) ? (entry as unknown[]) : [];
    const [kind, text] = Array.isArray(fields) ? (fields as unknown[]) : [];
    if (typeof streamId !== "string" || typeof kind !== "string" || typeof text !== "string") return [];
    try {
      const row: unknown = JSON.parse(text);
      return isRow(row) ? [{ streamId, kind, row }] : [];
    } catch {
      return [];
    }
  });
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function isRow(row: unknown): row is AuditRow {
  const { id, at, event, outcome, request_id: requestId } = (row ?? {}) as Record<string, unknown>;
  const texts = [event, outcome, requestId].every((text) => typeof text === "string");
  return texts && typeof id === "string" && UUID.test(id) && typeof at === "string" && !Number.isNaN(Date.parse(at));
}
