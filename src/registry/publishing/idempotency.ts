import { sql } from "drizzle-orm";
import type { Db } from "../../platform/postgres/db.ts";
import { entryOf, type EntryRow, type RegistryEntry } from "../reading/entry.ts";

/** A request with an `Idempotency-Key`. `owner` separates the keys of different publishers. */
export interface IdempotentRequest {
  owner: string;
  key: string;
}

/** How long the answer to a request is stored. */
const ANSWER_HOURS = 24;
/** A request that has taken longer is considered cut off, and its key can be used again. */
const UNDER_WAY_SECONDS = 60;

/** Whether a text is a valid key: 1 to 255 visible ASCII characters, which fit in a header and in an index. */
export const isIdempotencyKey = (text: string): boolean => /^[\x21-\x7e]{1,255}$/.test(text);

/** `other`: the key was used for a different request. `under_way`: the first request has not been answered yet. */
export type Begun = { state: "begun" | "other" | "under_way" } | { state: "answered"; entry: RegistryEntry };

/**
 * Reserves the key for this request, unless it was used within a day. `hash` is of the whole request; `now` is epoch
 * milliseconds.
 */
export async function beginRequest(
  db: Pick<Db, "batch" | "execute">,
  { owner, key }: IdempotentRequest,
  hash: string,
  now: number,
): Promise<Begun> {
  const at = sql`${new Date(now).toISOString()}::timestamptz`;
  const [{ rows: begun }, { rows }] = await db.batch([
    db.execute(sql`
      insert into idempotent_answer as a (owner, key, request_hash, at) values (${owner}, ${key}, ${hash}, ${at})
      on conflict (owner, key) do update set request_hash = excluded.request_hash, status = null, body = null, at = excluded.at
      where a.at < ${at} - ${`${ANSWER_HOURS} hours`}::interval
        or (a.status is null and a.at < ${at} - ${`${UNDER_WAY_SECONDS} seconds`}::interval)
      returning 1`),
    db.execute<{ request_hash: string; status: number | null; body: EntryRow | null }>(
      sql`select request_hash, status, body from idempotent_answer where owner = ${owner} and key = ${key}`,
    ),
  ]);
  const [row] = rows;
  if (begun.length > 0 || row === undefined) return { state: "begun" };
  if (row.request_hash !== hash) return { state: "other" };
  return row.body === null ? { state: "under_way" } : { state: "answered", entry: entryOf(row.body) };
}

/** Releases the key after a request that changed nothing, so that it can be retried. */
export async function forgetRequest(db: Pick<Db, "execute">, { owner, key }: IdempotentRequest): Promise<void> {
  await db.execute(sql`delete from idempotent_answer where owner = ${owner} and key = ${key} and body is null`);
}

/** Removes expired answers. `now` is epoch milliseconds. */
export async function pruneAnswers(db: Pick<Db, "execute">, now: number): Promise<void> {
  const before = new Date(now - ANSWER_HOURS * 3_600_000).toISOString();
  await db.execute(sql`delete from idempotent_answer where at < ${before}::timestamptz`);
}
