import { sha256 } from "../platform/crypto.ts";
import { redisKeys, type Redis } from "../platform/redis/redis.ts";
import { RedisUnavailable } from "../platform/redis/script.ts";

/** The result of taking an authorization code. */
export type CodeTaking =
  | { state: "taken"; code: TakenCode }
  /** Another request is redeeming it now. */
  | { state: "redeeming" }
  /** It was never issued, has expired, or was redeemed before. */
  | { state: "unknown" };

/** A code taken for one redemption. No other request can take it. */
export interface TakenCode {
  hash: string;
  /** What the framework stores under the code, as JSON. */
  value: string;
}

/** Longer than a redemption can take. A mark left behind only delays the consequences of a replay by this time. */
const REDEEMING_SECONDS = 10;

const TAKE = `#!lua flags=allow-key-locking
local value = redis.call('GETDEL', KEYS[1])
if value then
  redis.call('SET', KEYS[2], '1', 'EX', ARGV[1])
  return {'taken', value}
end
if redis.call('EXISTS', KEYS[2]) == 1 then return {'redeeming'} end
return {'unknown'}`;

const GIVE_BACK = `#!lua flags=allow-key-locking
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2], 'NX')
redis.call('DEL', KEYS[2])
return 1`;

const keysOf = (hash: string) => [redisKeys.authorizationCode(hash), redisKeys.redeeming(hash)];

/**
 * Takes a code for one redemption (RFC 6749 §4.1.2: at most once). One Redis request; the others can tell a race from a
 * replay.
 */
export async function takeCode(redis: Pick<Redis, "eval">, code: string): Promise<CodeTaking> {
  const hash = await sha256(code);
  const answer = await redis.eval(TAKE, keysOf(hash), [String(REDEEMING_SECONDS)]);
  const [state, value]: unknown[] = Array.isArray(answer) ? answer : [];
  if (state === "taken" && typeof value === "string") return { state, code: { hash, value } };
  if (state === "redeeming" || state === "unknown") return { state };
  // "unknown" can mean a replay, which ends the grant, so no other answer may pass for it.
  throw new RedisUnavailable("unexpected answer about an authorization code");
}

/** Ends the redemption. From now on, presenting the code counts as a replay. */
export async function closeCode(redis: Pick<Redis, "del">, { hash }: TakenCode): Promise<void> {
  await redis.del(redisKeys.redeeming(hash));
}

/** Restores a code whose redemption failed, for the rest of its lifetime. `now` is in milliseconds. */
export async function giveBackCode(redis: Pick<Redis, "eval">, { hash, value }: TakenCode, now: number): Promise<void> {
  const { expiresAt } = JSON.parse(value) as { expiresAt?: string };
  const seconds = Math.floor((Date.parse(expiresAt ?? "") - now) / 1000);
  if (seconds > 0) await redis.eval(GIVE_BACK, keysOf(hash), [value, String(seconds)]);
}
