import { sql, type SQL } from "drizzle-orm";
import type { Db } from "../platform/postgres/db.ts";
import type { Redis } from "../platform/redis/redis.ts";
import { RedisUnavailable } from "../platform/redis/script.ts";

/** Where tries are counted: in Redis, and in Postgres while Redis does not answer. */
export interface TryDeps {
  redis: Pick<Redis, "eval" | "del">;
  db: Pick<Db, "execute">;
}

/** What a window has seen, this try included. */
export interface Counted {
  count: number;
  /** Until the window ends and the count begins again, at least 1. */
  secondsLeft: number;
}

const COUNT = `#!lua flags=allow-key-locking
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('TTL', KEYS[1])}`;

/**
 * Counts a try in a window of so many seconds that begins with its first one. While Redis does not answer, or not with numbers, Postgres
 * counts from nothing: an outage gives whoever guesses one window more. Throws when neither counts, and then nothing may be tried.
 */
export async function countTry({ redis, db }: TryDeps, key: string, seconds: number): Promise<Counted> {
  return inRedisOr(
    async () => {
      const [count, secondsLeft] = wholeNumbers(await redis.eval(COUNT, [key], [String(seconds)]));
      if (count === undefined || count < 1 || secondsLeft === undefined) throw new RedisUnavailable("No count.");
      return { count, secondsLeft: Math.max(1, secondsLeft) };
    },
    () => countInPostgres(db, key, seconds),
  );
}

/** Counts as {@link countTry} does, in one statement and by the clock of Postgres. */
export async function countInPostgres(db: Pick<Db, "execute">, bucket: string, seconds: number): Promise<Counted> {
  const { rows } = await db.execute<{ count: number; left: number }>(sql`
    insert into try_count as t (bucket, count, until) values (${bucket}, 1, now() + make_interval(secs => ${seconds}))
    on conflict (bucket) do update set
      count = case when t.until <= now() then 1 else least(t.count, 1000000) + 1 end,
      until = case when t.until <= now() then excluded.until else t.until end
    returning count, greatest(1, ceil(extract(epoch from until - now())))::int as left`);
  const [row] = rows;
  if (!row) throw new Error("an upsert returned no row");
  return { count: row.count, secondsLeft: row.left };
}

/** Begins a count from nothing, wherever it is kept now. */
export async function forgetTries({ redis, db }: TryDeps, key: string): Promise<void> {
  await inRedisOr(
    () => redis.del(key),
    () => db.execute(sql`delete from try_count where bucket = ${key}`),
  );
}

/** Asks Redis, and Postgres when Redis does not answer. */
export async function inRedisOr<R, P>(redis: () => Promise<R>, postgres: () => Promise<P>): Promise<R | P> {
  try {
    return await redis();
  } catch (error) {
    if (!(error instanceof RedisUnavailable)) throw error;
    return postgres();
  }
}

/** The whole numbers of a script's answer; nothing when it holds anything else: what is no number must not pass for none. */
export function wholeNumbers(answer: unknown): number[] {
  const values: unknown[] = Array.isArray(answer) ? answer : [answer];
  const numbers = values.map((value) => (typeof value === "string" && value !== "" ? Number(value) : value));
  return numbers.every((value): value is number => Number.isSafeInteger(value)) ? numbers : [];
}

/** Deletes at most `limit` counts whose window is over. */
export const deleteOldTries = (limit: number): SQL => sql`
  delete from try_count where bucket in (select bucket from try_count where until < now() limit ${limit})`;
