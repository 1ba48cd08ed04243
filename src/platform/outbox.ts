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

/**
 * Sends every pending committed change to Redis; throws when Redis may not have received it. See {@link flushOutbox}.
 */
export type FlushOutbox = () => Promise<void>;

/**
 * The guaranteed bound: a change that Redis never received is in force after this many seconds, when cached records
 * expire.
 */
export const RECORD_SECONDS = 30;
const BATCH = 200;
/** Longer than the life of any record that was cached before the change. */
const KEY_MARK_SECONDS = 600;
export const EPOCH_SECONDS = 86_400;

/**
 * Versions only increase: a late message never overwrites a newer one. For a key, `version|` or, if it is dead,
 * `version|dead` replaces its record; an epoch is a number.
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
 * Flushes the outbox to Redis. When this resolves, every change committed before the call is in force for the next
 * request. When Redis does not accept it, the changes stay committed, are retried later, and are in force when
 * cached records expire: a 503 says so.
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
        `The change is saved. It may take up to ${RECORD_SECONDS} seconds to be in force everywhere.`,
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
