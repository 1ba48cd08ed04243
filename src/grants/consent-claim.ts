import { sha256 } from "../platform/crypto.ts";
import { redisKeys, type Redis } from "../platform/redis.ts";

/** Longer than the signature is good, for clocks that differ. */
const MARGIN_SECONDS = 60;

/**
 * Takes the one decision that a consent request has, named by the signature under it; false when it has been taken before. `expiry` is the
 * signature's, in seconds, `now` in milliseconds.
 */
export async function claimDecision(
  redis: Pick<Redis, "set">,
  { signature, expiry }: { signature: string; expiry: number },
  now: number,
): Promise<boolean> {
  const left = Math.max(0, Math.ceil(expiry - now / 1000));
  const key = redisKeys.decidedConsent(await sha256(signature));
  return (await redis.set(key, "1", { nx: true, ex: left + MARGIN_SECONDS })) !== null;
}

/** Gives the decision back when it came to nothing. */
export async function releaseDecision(redis: Pick<Redis, "del">, signature: string): Promise<void> {
  await redis.del(redisKeys.decidedConsent(await sha256(signature)));
}
