import { redisKeys, type Redis } from "../platform/redis/redis.ts";
import type { GrantDeps } from "./revocation.ts";

const CLOCK_SECONDS = 60;

const STOP = `#!lua flags=allow-key-locking
for _, key in ipairs(KEYS) do redis.call('SET', key, '1', 'EX', ARGV[1]) end
return #KEYS`;

/** Stops the access tokens of several grants by one Redis request, before Postgres ends their owner. */
export async function stopGrants(
  { redis, accessTokenSeconds }: { redis: Pick<Redis, "eval"> } & Pick<GrantDeps, "accessTokenSeconds">,
  grantIds: readonly string[],
): Promise<void> {
  if (grantIds.length > 0)
    await redis.eval(STOP, grantIds.map(redisKeys.endedGrant), [String(accessTokenSeconds + CLOCK_SECONDS)]);
}

/** Accepts the access tokens of stopped grants again, after Postgres ended nothing. */
export async function resumeGrants(
  { redis }: { redis: Pick<Redis, "del"> },
  grantIds: readonly string[],
): Promise<void> {
  if (grantIds.length > 0) await redis.del(...grantIds.map(redisKeys.endedGrant));
}
