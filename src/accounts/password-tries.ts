import { redisKeys } from "../platform/redis/redis.ts";
import { RedisUnavailable } from "../platform/redis/script.ts";
import { mark } from "../platform/signed.ts";
import { countInPostgres, forgetTries, inRedisOr, wholeNumbers, type TryDeps } from "../limits/tries.ts";

/** Tries that are allowed before the first wait. */
const FREE_TRIES = 5;
const FIRST_WAIT_SECONDS = 60;
const LONGEST_WAIT_SECONDS = 900;
/** Tries are forgotten after this long without another one; the longer time counts from the end of a wait. */
const MEMORY_SECONDS = 900;
const LONG_MEMORY_SECONDS = 3600;

const TAKE = `#!lua flags=allow-key-locking
local now = tonumber(ARGV[1])
local kept = redis.call('HMGET', KEYS[1], 'tries', 'until')
local free_at = tonumber(kept[2] or '0')
if free_at > now then return free_at - now end
local tries = tonumber(kept[1] or '0') + 1
local wait, memory = 0, tonumber(ARGV[5])
if tries >= tonumber(ARGV[2]) then
  wait = math.min(tonumber(ARGV[3]) * 2 ^ (tries - tonumber(ARGV[2])), tonumber(ARGV[4]))
  memory = tonumber(ARGV[6])
end
redis.call('HSET', KEYS[1], 'tries', tries, 'until', string.format('%.0f', now + wait))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', wait + memory))
return 0`;

const SETTINGS = [
  FREE_TRIES,
  ...[FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, MEMORY_SECONDS, LONG_MEMORY_SECONDS].map((seconds) => seconds * 1000),
].map(String);

/**
 * Counts a try before the password is checked, so that concurrent guesses count too. Returns the seconds to wait, 0
 * when the password may be checked now. Each try from the fifth on is followed by a wait of 1, 2, 4, … up to 15
 * minutes. A refused try is not counted. `now` is in milliseconds. While Redis does not answer, Postgres allows five
 * tries in 15 minutes. Throws when neither answers.
 */
export async function takeTry({ redis, db }: TryDeps, bucket: string, now: number): Promise<number> {
  const key = redisKeys.passwordTries(bucket);
  return inRedisOr(
    async () => {
      const [wait] = wholeNumbers(await redis.eval(TAKE, [key], [String(now), ...SETTINGS]));
      if (wait === undefined || wait < 0) throw new RedisUnavailable("The script returned no wait.");
      return Math.ceil(wait / 1000);
    },
    async () => {
      const { count, secondsLeft } = await countInPostgres(db, key, MEMORY_SECONDS);
      return count <= FREE_TRIES ? 0 : secondsLeft;
    },
  );
}

/** Forgets the tries of a bucket, after a correct password. */
export const clearTries = (deps: TryDeps, bucket: string): Promise<void> =>
  forgetTries(deps, redisKeys.passwordTries(bucket));

/** Keyed hash that stands for an address in Redis, with or without an account. A copy of Redis does not reveal it. */
export const addressHash = (secrets: readonly string[], address: string) =>
  mark(secrets, "email", [address.toLowerCase()]);
