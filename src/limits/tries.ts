import { sql, type SQL } from "drizzle-orm";
import type { Db } from "../platform/postgres/db.ts";
import type { Redis } from "../platform/redis/redis.ts";
import { RedisUnavailable } from "../platform/redis/script.ts";

/** The stores that count tries: Redis, and Postgres while Redis does not answer. */
export interface TryDeps {
  redis: Pick<Redis, "eval" | "del">;
  db: Pick<Db, "execute">;
}

/** The state of a window, this try included. */
export interface Counted {
  count: number;
  /** Seconds until the window ends and the count starts again; at least 1. */
  secondsLeft: number;
}

const COUNT = `#!lua flags=allow-key-locking
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('TTL', KEYS[1])}`;

/**
 * Counts a try in a window of `seconds` that begins with the first try. While Redis does not answer, or answers without
 * numbers, Postgres counts, starting from zero: an outage gives a guesser one more window. Throws when neither store
 * can count; then nothing may be tried.
 */
export async function countTry({ redis, db }: TryDeps, key: string, seconds: number): Promise<Counted> {
  return inRedisOr(
    async () => {
      const [count, secondsLeft] = wholeNumbers(await redis.eval(COUNT, [key], [String(seconds)]));
      if (count === undefined || count < 1 || secondsLeft === undefined) throw new RedisUnavailable("unexpected count");
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

/** Resets a count in the store that counts now. */
export async function forgetTries({ redis, db }: TryDeps, key: string): Promise<void> {
  await inRedisOr(
    () => redis.del(key),
    () => db.execute(sql`delete from try_count where bucket = ${key}`),
  );
}

/** Uses Redis, and Postgres when Redis does not answer. */
export async function inRedisOr<R, P>(redis: () => Promise<R>, postgres: () => Promise<P>): Promise<R | P> {
  try {
    return await redis();
  } catch (error) {
    if (!(error instanceof RedisUnavailable)) throw error;
    return postgres();
  }
}

/**
 * The whole numbers of a script's answer; empty when it contains anything else, so that no other value counts as zero.
 */
export function wholeNumbers(answer: unknown): number[] {
  const values: unknown[] = Array.isArray(answer) ? answer : [answer];
  const numbers = values.map((value) => (typeof value === "string" && value !== "" ? Number(value) : value));
  return numbers.every((value): value is number => Number.isSafeInteger(value)) ? numbers : [];
}

/** Deletes at most `limit` counts whose window has ended. */
export const deleteOldTries = (limit: number): SQL => sql`
  delete from try_count where bucket in (select bucket from try_count where until < now() limit ${limit})`;
