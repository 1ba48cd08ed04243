import { sha256 } from "../platform/crypto.ts";
import { redisKeys, type Redis } from "../platform/redis/redis.ts";
import { RedisUnavailable } from "../platform/redis/script.ts";

/** What one presenter of an authorization code gets. */
export type CodeTaking =
  | { state: "taken"; code: TakenCode }
  /** Somebody else is redeeming it at this moment. */
  | { state: "redeeming" }
  /** It was never given out, has expired, or was redeemed before. */
  | { state: "unknown" };

/** A code that nobody else can have any more. */
export interface TakenCode {
  hash: string;
  /** What the framework keeps under the code, as JSON. */
  value: string;
}

/** Longer than a redemption can take. A mark that is left behind only spares a replay its consequences for so long. */
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

/** Takes a code for one redemption (RFC 6749 §4.1.2: at most once). One request, one winner; the others can tell a race from a replay. */
export async function takeCode(redis: Pick<Redis, "eval">, code: string): Promise<CodeTaking> {
  const hash = await sha256(code);
  const answer = await redis.eval(TAKE, keysOf(hash), [String(REDEEMING_SECONDS)]);
  const [state, value]: unknown[] = Array.isArray(answer) ? answer : [];
  if (state === "taken" && typeof value === "string") return { state, code: { hash, value } };
  if (state === "redeeming" || state === "unknown") return { state };
  // An unknown code is a replay, which ends what it gave out: only Redis itself may say so.
  throw new RedisUnavailable("No state of a code.");
}

/** The redemption is over: from now on whoever presents the code replays it. */
export async function closeCode(redis: Pick<Redis, "del">, { hash }: TakenCode): Promise<void> {
  await redis.del(redisKeys.redeeming(hash));
}

/** Puts a code back that was taken for nothing, for the rest of its life; `now` is in milliseconds. */
export async function giveBackCode(redis: Pick<Redis, "eval">, { hash, value }: TakenCode, now: number): Promise<void> {
  const { expiresAt } = JSON.parse(value) as { expiresAt?: string };
  const seconds = Math.floor((Date.parse(expiresAt ?? "") - now) / 1000);
  if (seconds > 0) await redis.eval(GIVE_BACK, keysOf(hash), [value, String(seconds)]);
}
