import { sha256 } from "../platform/crypto.ts";
import { redisKeys, type Redis } from "../platform/redis/redis.ts";

/** Seconds beyond the signature's validity, for clocks that differ. */
const MARGIN_SECONDS = 60;

const GIVE_UP = `#!lua flags=allow-key-locking
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

/**
 * Takes the one decision of a consent request, identified by its signature; false when it was taken before. `expiry` is
 * the signature's, in seconds; `now` is in milliseconds. If the answer of Redis is lost, nothing is decided and the
 * entry is removed, so that the person can decide again.
 */
export async function takeDecision(
  redis: Pick<Redis, "set" | "eval">,
  { signature, expiry }: { signature: string; expiry: number },
  now: number,
): Promise<boolean> {
  const left = Math.max(0, Math.ceil(expiry - now / 1000));
  const key = redisKeys.decidedConsent(await sha256(signature));
  const nonce = crypto.randomUUID();
  try {
    return (await redis.set(key, nonce, { nx: true, ex: left + MARGIN_SECONDS })) !== null;
  } catch (error) {
    await redis.eval(GIVE_UP, [key], [nonce]).catch(() => undefined);
    throw error;
  }
}

/** Gives the decision back after its execution failed. */
export async function giveBackDecision(redis: Pick<Redis, "del">, signature: string): Promise<void> {
  await redis.del(redisKeys.decidedConsent(await sha256(signature)));
}
