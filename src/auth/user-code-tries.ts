import { redisKeys, type Redis } from "../platform/redis.ts";

/** Codes that one person can enter in the window. Looking at a device and deciding about it are one each. */
export const USER_CODE_TRIES = 30;
const WINDOW_SECONDS = 900;

const TAKE = `#!lua flags=allow-key-locking
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
if count > tonumber(ARGV[2]) then return math.max(1, redis.call('TTL', KEYS[1])) end
return 0`;

/**
 * Counts that somebody enters a user code, before it is looked up, from whatever address (RFC 8628 §5.1). Returns the seconds to wait, 0 when it
 * may be looked up.
 */
export async function takeUserCodeTry(redis: Pick<Redis, "eval">, userId: string): Promise<number> {
  const settings = [String(WINDOW_SECONDS), String(USER_CODE_TRIES)];
  return Number(await redis.eval(TAKE, [redisKeys.userCodeTries(userId)], settings));
}
