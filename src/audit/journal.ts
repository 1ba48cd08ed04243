import { sql } from "drizzle-orm";
import { boundedMap, throttle } from "../platform/bounded-map.ts";
import type { Db } from "../platform/db.ts";
import { errorFields, type Log } from "../platform/log.ts";
import { redisKeys } from "../platform/redis.ts";
import { redisScript, type RunScript } from "../platform/redis-script.ts";
import { insertRows, rowOf, type AuditRow } from "./entry.ts";
import type { AuditEvent } from "./event.ts";
import { auditIntent } from "./schema.ts";
import { tally, type TallyLimits } from "./tally.ts";

/** Where the write-ahead entry of an event is, to be trimmed once Postgres has the event. */
export interface StreamEntry {
  shard: number;
  id: string;
}

/** What a call has used, beside what it did. Times are epoch milliseconds. */
export interface Usage {
  keyId: string;
  at: number;
  quota?: { chainId: string; period: string; used: number } | undefined;
}

export interface JournalDeps {
  db: Pick<Db, "execute">;
  runScript: RunScript;
  /** Work that goes on after the answer. */
  background: (work: Promise<unknown>) => void;
  wait: (ms: number) => Promise<unknown>;
  now: () => number;
  log: Log;
}

/** Writes down what happened: at once in this isolate, in Postgres a moment later and many at a time. */
export interface Journal {
  record: (event: AuditEvent, entry?: StreamEntry) => void;
  /**
   * Records what callers can cause without end: once in a while, with how often; see {@link Tally}. `who` tells callers apart where their
   * credential or address does not.
   */
  tried: (event: AuditEvent, who?: string) => void;
  used: (usage: Usage) => void;
  /** Writes now what is waiting. */
  flush: () => Promise<void>;
}

const FLUSH_MS = 500;
const BATCH = 200;
/** While neither store takes anything; beyond this the oldest are given up, which the log says. */
const MAX_WAITING = 10_000;
/** How exact "last used" is. */
const LAST_USED_MS = 60_000;
const MAX_KEYS = 5_000;
/** Each isolate keeps one tally of callers with a credential and one of those without, who must not take their place. */
const TRIES: TallyLimits = { windowMs: 60_000, maxKeys: 2_000, rowsPerMinute: 120 };

/** Everything in one request: the stream's entries of events that Postgres has now. */
const TRIM = redisScript(`
for i = 1, #ARGV, 2 do redis.call('XDEL', KEYS[tonumber(ARGV[i])], ARGV[i + 1]) end
return #ARGV / 2`);

/** What Postgres does not take now waits in the stream, beside what was written ahead. */
const APPEND = redisScript(`
for i = 1, #ARGV, 2 do redis.call('XADD', KEYS[tonumber(ARGV[i])], '*', 'o', ARGV[i + 1]) end
return #ARGV / 2`);

interface Waiting {
  row: AuditRow;
  entry: StreamEntry | undefined;
}

/** The journal of one isolate. What it holds is plain data, which the background work of whichever request may write down. */
export function createJournal(deps: JournalDeps): Journal {
  const { db, runScript, background, wait, now, log } = deps;
  let waiting: Waiting[] = [];
  const lastUse = throttle(MAX_KEYS, LAST_USED_MS);
  const newUses = () => boundedMap<number>(MAX_KEYS);
  const newQuotas = () => boundedMap<NonNullable<Usage["quota"]>>(MAX_KEYS);
  let used = newUses();
  let quotas = newQuotas();
  let flushAt = 0;
  const [known, unknown] = [tally(TRIES), tally(TRIES)];

  /** Answers may overtake each other: of one period the highest count stands, of two the later period. */
  function noteQuota(quota: NonNullable<Usage["quota"]>): void {
    const known = quotas.get(quota.chainId);
    const isNewer = !known || (known.period === quota.period ? known.used < quota.used : known.period < quota.period);
    if (isNewer) quotas.set(quota.chainId, quota);
  }

  function record(event: AuditEvent, entry?: StreamEntry): void {
    waiting.push({ row: rowOf(event), entry });
    schedule();
  }

  function schedule(): void {
    const at = now();
    if (at <= flushAt) return;
    flushAt = at + FLUSH_MS;
    background(wait(FLUSH_MS).then(flush));
  }

  async function flush(): Promise<void> {
    // From here on, who has something to write asks for a time of its own: what comes in meanwhile goes with the next batch.
    flushAt = 0;
    for (const { due } of [known, unknown])
      waiting.push(...due(now()).map((event) => ({ row: rowOf(event), entry: undefined })));
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length || (at === 0 && used.size + quotas.size > 0); at += BATCH) {
      const events = all.slice(at, at + BATCH);
      const [keys, spent] = [used, quotas];
      [used, quotas] = [newUses(), newQuotas()];
      try {
        await write(events, keys, spent);
      } catch (error) {
        log("warn", "audit.delayed", { events: all.length - at, ...errorFields(error) });
        for (const [, quota] of spent.entries()) noteQuota(quota);
        for (const [id] of keys.entries()) lastUse.forget(id);
        return keep(all.slice(at));
      }
      await trim(events.flatMap(({ entry }) => entry ?? []));
    }
  }

  /** What is not trimmed now is found by the drain, which sees that Postgres has it. */
  async function trim(entries: StreamEntry[]): Promise<void> {
    if (entries.length === 0) return;
    try {
      await runScript(TRIM, ...byShard(entries.map(({ shard, id }) => [shard, id])));
    } catch (error) {
      log("warn", "audit.untrimmed", { entries: entries.length, ...errorFields(error) });
    }
  }

  async function write(events: Waiting[], keys: typeof used, spent: typeof quotas): Promise<void> {
    const rows = events.map(({ row }) => row);
    const uses = [...keys.entries()].map(([id, at]) => ({ id, at: new Date(at).toISOString() }));
    const usages = [...spent.entries()].map(([, { chainId, period, used: n }]) => ({
      chain_id: chainId,
      period,
      used: n,
    }));
    await db.execute(sql`
      with written as (${insertRows(sql`${JSON.stringify(rows)}::jsonb`)}),
      settled as (delete from ${auditIntent} where id = any(${sql.param(rows.map(({ id }) => id))}::uuid[])),
      seen as (
        update apikey set last_request = u.at at time zone 'utc'
        from jsonb_to_recordset(${JSON.stringify(uses)}::jsonb) as u(id text, at timestamptz)
        where apikey.id = u.id and (last_request is null or last_request < u.at at time zone 'utc')
      )
      insert into quota_use as q (chain_id, period, used)
      select chain_id, period, used from jsonb_to_recordset(${JSON.stringify(usages)}::jsonb) as u(chain_id text, period text, used bigint)
      on conflict (chain_id, period) do update set used = greatest(q.used, excluded.used)`);
  }

  /** Postgres does not answer: the stream keeps the outcomes, and if Redis does not either, this isolate. */
  async function keep(events: Waiting[]): Promise<void> {
    for (let at = 0; at < events.length; at += BATCH) {
      const entries = events
        .slice(at, at + BATCH)
        .map(({ row, entry }) => [entry?.shard ?? 0, JSON.stringify(row)] as const);
      try {
        await runScript(APPEND, ...byShard(entries));
      } catch (error) {
        log("warn", "audit.waiting", { events: events.length - at, ...errorFields(error) });
        waiting = [...events.slice(at), ...waiting];
        break;
      }
    }
    const given = waiting.length - MAX_WAITING;
    if (given <= 0) return;
    waiting = waiting.slice(given);
    log("error", "audit.given_up", { events: given });
  }

  return {
    record,
    tried: (event, who) => {
      const { count, givenUp } = event.actor.credential ? known : unknown;
      for (const each of count(event, who)) record(each);
      const events = givenUp();
      if (events > 0) log("warn", "audit.tries_given_up", { events });
    },
    used: ({ keyId, at, quota }) => {
      if (quota) noteQuota(quota);
      const isDue = lastUse.passes(keyId, at);
      if (isDue) used.set(keyId, at);
      if (isDue || quota) schedule();
    },
    flush,
  };
}

/** Streams once each, and for each text the number of its stream. */
function byShard(texts: readonly (readonly [shard: number, text: string])[]): [keys: string[], args: string[]] {
  const shards = [...new Set(texts.map(([shard]) => shard))];
  return [
    shards.map(redisKeys.auditStream),
    texts.flatMap(([shard, text]) => [String(shards.indexOf(shard) + 1), text]),
  ];
}
