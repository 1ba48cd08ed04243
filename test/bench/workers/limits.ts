import { Ratelimit } from "@upstash/ratelimit";
import { Redis } from "@upstash/redis/cloudflare";

/** Where Upstash is. */
export interface RedisSettings {
  UPSTASH_REDIS_REST_URL: string;
  UPSTASH_REDIS_REST_TOKEN: string;
}

const TIERS = ["credential", "user", "tenant"] as const;
const ENOUGH = 1_000_000;

/** Whether a caller is within all three limits, as the documentation of `@upstash/ratelimit` would have it, asked for at once. */
export type WithinLimits = (caller: Record<(typeof TIERS)[number], string>) => Promise<boolean>;

/** Three token buckets with the client's default options: it sends commands of the same moment as one request. */
export function limits(settings: RedisSettings): WithinLimits {
  const redis = new Redis({ url: settings.UPSTASH_REDIS_REST_URL, token: settings.UPSTASH_REDIS_REST_TOKEN });
  const limiter = Ratelimit.tokenBucket(ENOUGH, "1 s", ENOUGH);
  const tiers = TIERS.map((tier) => ({ tier, ratelimit: new Ratelimit({ redis, limiter, prefix: `bench:${tier}` }) }));
  return async (caller) => {
    const answers = await Promise.all(tiers.map(({ tier, ratelimit }) => ratelimit.limit(caller[tier])));
    return answers.every(({ success }) => success);
  };
}
