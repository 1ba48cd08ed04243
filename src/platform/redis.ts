import { Redis } from "@upstash/redis/cloudflare";
import type { Config } from "./config.ts";

export type { Redis };

/**
 * Every key this product keeps in Redis. The prefix carries a version: a release that changes a shape changes its key.
 *
 * | key | value | lifetime |
 * |---|---|---|
 * | `mrg1:auth:…` | Better Auth secondary storage: sessions, codes, rate counters | set by Better Auth |
 * | `mrg1:key:{hash}` | JSON record of an API key, or `null` for a key that does not exist | 30 s, 5 s for `null` |
 * | `mrg1:redeeming:{hash}` | `1`: an authorization code is being redeemed | 10 s |
 * | `mrg1:ended:{grant}` | `1`: access tokens of this grant are refused | life of an access token |
 * | `mrg1:dev:mailbox` | list of mails, development only | last 200 |
 */
export const redisKeys = {
  auth: (key: string) => `mrg1:auth:${key}`,
  /** Where Better Auth keeps an authorization code, by its hash. */
  authorizationCode: (hash: string) => `mrg1:auth:verification:${hash}`,
  redeeming: (hash: string) => `mrg1:redeeming:${hash}`,
  apiKey: (hash: string) => `mrg1:key:${hash}`,
  endedGrant: (grantId: string) => `mrg1:ended:${grantId}`,
  mailbox: "mrg1:dev:mailbox",
};

/**
 * Connects to Upstash over REST. Commands are never retried by the client, because a lost answer may hide an applied write;
 * values stay strings, because Better Auth expects what it stored.
 */
export function connectRedis(
  config: Pick<Config, "UPSTASH_REDIS_REST_URL" | "UPSTASH_REDIS_REST_TOKEN" | "REDIS_TIMEOUT_MS">,
): Redis {
  return new Redis({
    url: config.UPSTASH_REDIS_REST_URL,
    token: config.UPSTASH_REDIS_REST_TOKEN,
    automaticDeserialization: false,
    enableAutoPipelining: false,
    enableTelemetry: false,
    readYourWrites: false,
    // Not `false`: that means one retry.
    retry: { retries: 0 },
    signal: () => AbortSignal.timeout(config.REDIS_TIMEOUT_MS),
  });
}
