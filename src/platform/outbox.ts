import { inArray, sql } from "drizzle-orm";
import type { Db } from "./postgres/db.ts";
import { AppError } from "./errors.ts";
import { redisKeys } from "./redis/redis.ts";
import { redisScript, type RunScript } from "./redis/script.ts";
import { outbox } from "./schema.ts";

export interface ChangeDeps {
  db: Pick<Db, "execute" | "delete">;
  runScript: RunScript;
  background: (work: Promise<unknown>) => void;
}

/** Tells Redis of every committed change that it has not heard of; throws when it may not have heard. See {@link flushOutbox}. */
export type FlushOutbox = () => Promise<void>;

/** The stated bound: a change that Redis never heard of is in force after so many seconds, when the cached records end. */
export const RECORD_SECONDS = 30;
const BATCH = 200;
/** Longer than any record that was filled before the change can live. */
const KEY_MARK_SECONDS = 600;
export const EPOCH_SECONDS = 86_400;

/**
 * Marks go up only: a late one never hides a newer one. A key's mark takes the place of its record, `version|` and nothing else, or
 * `version|dead` for good; an epoch is a number.
 */
const MARK = redisScript(`
for i, key in ipairs(KEYS) do
  local version, kind = ARGV[2 * i - 1], ARGV[2 * i]
  local known = redis.call('GET', key)
  local at = known and tonumber(string.match(known, '^%d+')) or -1
  if at < tonumber(version) then
    if kind == 'epoch' then
      redis.call('SET', key, version, 'EX', ${EPOCH_SECONDS})
    else
      redis.call('SET', key, version .. '|' .. kind, 'EX', ${KEY_MARK_SECONDS})
    end
  end
end
return #KEYS`);

interface Change extends Record<string, unknown> {
  id: string;
  target: string;
  version: string;
  dead: boolean;
}

/**
 * Brings the outbox to Redis: when this resolves, every change that was committed before it began is in force for the next call (R9). When
 * Redis does not take it, the changes stand, are tried again later, and are in force when the cached records end: a 503 says so.
 */
export async function flushOutbox({ db, runScript, background }: ChangeDeps): Promise<void> {
  for (;;) {
    let rows: Change[];
    try {
      ({ rows } = await db.execute<Change>(
        sql`select id, target, version, dead from ${outbox} order by id limit ${BATCH}`,
      ));
      if (rows.length === 0) return;
      await runScript(
        MARK,
        rows.map(({ target }) => redisKeyOf(target)),
        rows.flatMap(({ target, version, dead }) => [version, kindOf(target, dead)]),
      );
    } catch (error) {
      throw new AppError(
        "revocation_pending",
        `The change is made, and may take up to ${RECORD_SECONDS} seconds to be in force everywhere.`,
        { internal: String(error), headers: { "retry-after": "5" } },
      );
    }
    const done = db.delete(outbox).where(
      inArray(
        outbox.id,
        rows.map(({ id }) => Number(id)),
      ),
    );
    if (rows.length < BATCH) return background(done.execute());
    await done;
  }
}

const redisKeyOf = (target: string) =>
  target.startsWith("key:") ? redisKeys.keyRecord(target.slice(4)) : redisKeys.epoch(target.slice(6));

const kindOf = (target: string, dead: boolean) => (target.startsWith("epoch:") ? "epoch" : dead ? "dead" : "");
