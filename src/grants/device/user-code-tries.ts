import { redisKeys } from "../../platform/redis/redis.ts";
import { countTry, type TryDeps } from "../../limits/tries.ts";

/** How many codes one person can enter in the window. Viewing a device and deciding about it count as one each. */
export const USER_CODE_TRIES = 30;
const WINDOW_SECONDS = 900;

/**
 * Counts that a person enters a user code, before it is looked up and whatever their address (RFC 8628 §5.1). Returns
 * the seconds to wait, or 0 when the code may be looked up.
 */
export async function takeUserCodeTry(deps: TryDeps, userId: string): Promise<number> {
  const { count, secondsLeft } = await countTry(deps, redisKeys.userCodeTries(userId), WINDOW_SECONDS);
  return count > USER_CODE_TRIES ? secondsLeft : 0;
}
