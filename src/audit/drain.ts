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

/** After so long nobody will come back with the outcome of what was written ahead. */
const ORPHAN_MS = 300_000;
const PAGE = 500;
const MAX_PAGES = 20;

const READ = redisScript(`return redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2])`);
const REMOVE = redisScript(`return redis.call('XDEL', KEYS[1], unpack(ARGV))`);

/** An entry of the stream: `i`, what was about to happen, or `o`, what came of it. */
interface Entry {
  streamId: string;
  kind: string;
  row: AuditRow;
}

/**
 * Brings to Postgres what isolates have left in the streams and in `audit_intent`: outcomes that could not be written, and intents whose
 * isolate ended before the outcome, which is then `unknown`. Repeatable: an event's id is its own, and entries go after Postgres has
 * them. Returns how many entries it has settled. `now` is in milliseconds.
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

/** The oldest entries; what came of an event may be pages away from what was written ahead. */
async function readStream(runScript: RunScript, keys: string[]): Promise<Entry[]> {
  const entries: Entry[] = [];
  let from = "-";
  for (let page = 0; page < MAX_PAGES; page++) {
    const read = await runScript(READ, keys, [from, String(PAGE)]);
    if (!Array.isArray(read)) break;
    entries.push(...parseEntries(read));
    // By what was read, not by what could be understood: what cannot must hide nothing.
    const [lastId] = (read.at(-1) ?? []) as unknown[];
    if (typeof lastId !== "string" || read.length < PAGE) break;
    from = `(${lastId}`;
  }
  return entries;
}

/** What cannot be read as an event is left where it is for people to look at. */
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
