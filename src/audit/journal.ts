import { sql, type SQL } from "drizzle-orm";
import type { Db } from "../platform/postgres/db.ts";
import { errorFields, type Log } from "../platform/log.ts";
import { redisKeys } from "../platform/redis/redis.ts";
import { redisScript, type RunScript } from "../platform/redis/script.ts";
import { insertRows, rowOf, settleIntents, type AuditRow } from "./entry.ts";
import type { AuditEvent } from "./event.ts";
import { tally, type TallyLimits } from "./tally.ts";

/** The place of an event's intent in a stream, to be removed once Postgres has the event. */
export interface StreamEntry {
  shard: number;
  id: string;
}

/**
 * Pending writes of another table in this isolate. The journal adds them to the statement that writes its entries, so
 * they cost no SQL request of their own.
 */
export interface Companion {
  /** Takes the pending write; undefined when there is none. */
  take: () =>
    | { write: SQL; /** Call it after a failure: the write is pending again. */ giveBack: () => void }
    | undefined;
}

export interface JournalDeps {
  db: Pick<Db, "execute">;
  runScript: RunScript;
  /** Runs work that continues after the answer. */
  background: (work: Promise<unknown>) => void;
  wait: (ms: number) => Promise<unknown>;
  now: () => number;
  log: Log;
  companions: readonly Companion[];
}

/** Records events: at once in the memory of this isolate, and a moment later in Postgres, many at a time. */
export interface Journal {
  record: (event: AuditEvent, entry?: StreamEntry) => void;
  /**
   * Records events that a caller can cause in any number: rarely, with a count; see {@link Tally}. `who` identifies the
   * caller when the credential or address is not enough.
   */
  tried: (event: AuditEvent, who?: string) => void;
  /** Schedules a write in half a second unless one is scheduled, for pending writes of a companion. */
  plan: () => void;
  /** Writes everything pending now. */
  flush: () => Promise<void>;
}

const FLUSH_MS = 500;
const BATCH = 200;
/** Bound for events that wait while neither store accepts writes. Beyond it the oldest are dropped, which is logged. */
const MAX_WAITING = 10_000;
/**
 * Each isolate has one tally for callers with a credential and one for those without, so that the latter cannot fill
 * it.
 */
const TRIES: TallyLimits = { windowMs: 60_000, maxKeys: 2_000, rowsPerMinute: 120 };

/** Removes the stream entries of events that Postgres now has, in one request. */
const TRIM = redisScript(`
for i = 1, #ARGV, 2 do redis.call('XDEL', KEYS[tonumber(ARGV[i])], ARGV[i + 1]) end
return #ARGV / 2`);

/** Appends outcomes that Postgres did not accept to the stream, next to the intents. */
const APPEND = redisScript(`
for i = 1, #ARGV, 2 do redis.call('XADD', KEYS[tonumber(ARGV[i])], '*', 'o', ARGV[i + 1]) end
return #ARGV / 2`);

interface Waiting {
  row: AuditRow;
  entry: StreamEntry | undefined;
}

/** Creates the journal of one isolate. It holds plain data, so the background work of any request can write it. */
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
    // From here on, a new event schedules the next write: it is not part of this batch.
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

  /** Removes intents from the streams. If this fails, the drain does it, once it sees that Postgres has the event. */
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

  /** Keeps outcomes while Postgres does not answer: in the stream, and if Redis fails too, in this isolate. */
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

/** The arguments of a script: each stream once as a key, and before each text the number of its stream. */
function byShard(texts: readonly (readonly [shard: number, text: string])[]): [keys: string[], args: string[]] {
  const shards = [...new Set(texts.map(([shard]) => shard))];
  return [
    shards.map(redisKeys.auditStream),
    texts.flatMap(([shard, text]) => [String(shards.indexOf(shard) + 1), text]),
  ];
}
