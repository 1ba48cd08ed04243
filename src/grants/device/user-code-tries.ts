import { redisKeys } from "../../platform/redis/redis.ts";
import { countTry, type TryDeps } from "../../limits/tries.ts";

/** Codes that one person can enter in the window. Looking at a device and deciding about it are one each. */
export const USER_CODE_TRIES = 30;
const WINDOW_SECONDS = 900;

/**
 * Counts that somebody enters a user code, before it is looked up, from whatever address (RFC 8628 §5.1). Returns the seconds to wait, 0 when it
 * may be looked up.
 */
export async function takeUserCodeTry(deps: TryDeps, userId: string): Promise<number> {
  const { count, secondsLeft } = await countTry(deps, redisKeys.userCodeTries(userId), WINDOW_SECONDS);
  return count > USER_CODE_TRIES ? secondsLeft : 0;
}
