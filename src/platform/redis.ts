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
 * | `mrg1:tries:{bucket}` | hash: tries of an account's password, and until when the next must wait (epoch ms) | 15 min, after a wait 1 h |
 * | `mrg1:ended:{grant}` | `1`: access tokens of this grant are refused | life of an access token |
 * | `mrg1:document:{hash}` | `good`, `bad` or `busy`: state of a client metadata document, by the hash of its address | as its origin says, at most a day |
 * | `mrg1:documents:{hash or all}` | how many of them were fetched from an origin, or at all | 1 min |
 * | `mrg1:registrations:{day}` | how many clients strangers registered on a day since 1970 | 1 day |
 * | `mrg1:proof:{hash}` | `1`: a proof of possession (RFC 9449) was used | while it could be used again |
 * | `mrg1:usercodes:{user}` | how many user codes of devices somebody has entered | 15 min |
 * | `mrg1:decided:{hash}` | `1`: a consent request, by the hash of its signature, was decided | life of the signature |
 * | `mrg1:dev:mailbox` | list of mails, development only | last 200 |
 */
export const redisKeys = {
  auth: (key: string) => `mrg1:auth:${key}`,
  /** Where Better Auth keeps an authorization code, by its hash. */
  authorizationCode: (hash: string) => `mrg1:auth:verification:${hash}`,
  redeeming: (hash: string) => `mrg1:redeeming:${hash}`,
  apiKey: (hash: string) => `mrg1:key:${hash}`,
  passwordTries: (bucket: string) => `mrg1:tries:${bucket}`,
  endedGrant: (grantId: string) => `mrg1:ended:${grantId}`,
  metadata: (hash: string) => `mrg1:document:${hash}`,
  metadataBudget: (origin: string) => `mrg1:documents:${origin}`,
  registrations: (day: number) => `mrg1:registrations:${day}`,
  spentProof: (id: string) => `mrg1:proof:${id}`,
  userCodeTries: (userId: string) => `mrg1:usercodes:${userId}`,
  decidedConsent: (hash: string) => `mrg1:decided:${hash}`,
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
