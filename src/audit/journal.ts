import { sql, type SQL } from "drizzle-orm";
import type { Db } from "../platform/postgres/db.ts";
import { errorFields, type Log } from "../platform/log.ts";
import { redisKeys } from "../platform/redis/redis.ts";
import { redisScript, type RunScript } from "../platform/redis/script.ts";
import { insertRows, rowOf, settleIntents, type AuditRow } from "./entry.ts";
import type { AuditEvent } from "./event.ts";
import { tally, type TallyLimits } from "./tally.ts";

/** Where the write-ahead entry of an event is, to be trimmed once Postgres has the event. */
export interface StreamEntry {
  shard: number;
  id: string;
}

/**
 * Writes that the owner of another table collects in this isolate. The journal sends them in the statement that writes the entries: they cost
 * no SQL request of their own.
 */
export interface Companion {
  /** What is to be written, which is no longer held; undefined when there is nothing. */
  take: () =>
    | { write: SQL; /** After a failure: what was taken is still to be written. */ giveBack: () => void }
    | undefined;
}

export interface JournalDeps {
  db: Pick<Db, "execute">;
  runScript: RunScript;
  /** Work that goes on after the answer. */
  background: (work: Promise<unknown>) => void;
  wait: (ms: number) => Promise<unknown>;
  now: () => number;
  log: Log;
  companions: readonly Companion[];
}

/** Writes down what happened: at once in this isolate, in Postgres a moment later and many at a time. */
export interface Journal {
  record: (event: AuditEvent, entry?: StreamEntry) => void;
  /**
   * Records what callers can cause without end: once in a while, with how often; see {@link Tally}. `who` tells callers apart where their
   * credential or address does not.
   */
  tried: (event: AuditEvent, who?: string) => void;
  /** Plans a write, half a second from now unless one is planned: for what a companion holds. */
  plan: () => void;
  /** Writes now what is waiting. */
  flush: () => Promise<void>;
}

const FLUSH_MS = 500;
const BATCH = 200;
/** While neither store takes anything; beyond this the oldest are given up, which the log says. */
const MAX_WAITING = 10_000;
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
  const { db, runScript, background, wait, now, log, companions } = deps;
  let waiting: Waiting[] = [];
  let flushAt = 0;
  const [byCredential, byNobody] = [tally(TRIES), tally(TRIES)];

  function record(event: AuditEvent, entry?: StreamEntry): void {
    waiting.push({ row: rowOf(event), entry });
    plan();
  }

  function plan(): void {
    const at = now();
    if (at <= flushAt) return;
    flushAt = at + FLUSH_MS;
    background(wait(FLUSH_MS).then(flush));
  }

  async function flush(): Promise<void> {
    // From here on, who has something to write asks for a time of its own: what comes in meanwhile goes with the next batch.
    flushAt = 0;
    for (const { due } of [byCredential, byNobody])
      waiting.push(...due(now()).map((event) => ({ row: rowOf(event), entry: undefined })));
    const all = waiting;
    waiting = [];
    let at = 0;
    do {
      const events = all.slice(at, at + BATCH);
      const taken = companions.flatMap((companion) => companion.take() ?? []);
      if (events.length + taken.length === 0) return;
      try {
        await write(
          events,
          taken.map((each) => each.write),
        );
      } catch (error) {
        log("warn", "audit.delayed", { events: all.length - at, ...errorFields(error) });
        for (const { giveBack } of taken) giveBack();
        return keep(all.slice(at));
      }
      await trim(events.flatMap(({ entry }) => entry ?? []));
      at += BATCH;
    } while (at < all.length);
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

  async function write(events: Waiting[], others: readonly SQL[]): Promise<void> {
    const rows = events.map(({ row }) => row);
    const companion = (fragment: SQL, n: number) => sql`, ${sql.raw(`companion_${n}`)} as (${fragment})`;
    await db.execute(sql`
      with written as (${insertRows(sql`${JSON.stringify(rows)}::jsonb`)}),
      settled as (${settleIntents(rows.map(({ id }) => id))})${sql.join(others.map(companion))}
      select 1`);
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
      const { count, givenUp } = event.actor.credential ? byCredential : byNobody;
      for (const each of count(event, who)) record(each);
      const events = givenUp();
      if (events > 0) log("warn", "audit.tries_given_up", { events });
    },
    plan,
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
