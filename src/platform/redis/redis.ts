import { Redis, type RedisConfigCloudflare } from "@upstash/redis/cloudflare";
import type { Config } from "../config.ts";
import type { GuardRedis } from "./guard.ts";
import { RedisUnavailable } from "./script.ts";

export type { Redis };

/**
 * Every key this product keeps in Redis. The prefix carries a version: a release that changes a shape changes its key.
 *
 * | key | value | lifetime |
 * |---|---|---|
 * | `mrg1:auth:…` | Better Auth secondary storage: one-time codes and rate counters | set by Better Auth |
 * | `mrg1:key:{hash}` | record of an API key, or in its place `unknown`, or the mark of a change, see `access/record.ts` | 30 s, 5 s, 10 min |
 * | `mrg1:grant:{id}` | record of an OAuth grant, see `access/record.ts` | 30 s |
 * | `mrg1:epoch:{subject}` | epoch of a tenant (`t:{id}`) or a user (`u:{id}`) | 1 day |
 * | `mrg1:verdict:{event}` | the verdict of admission on an event, for a repeat of the request | 60 s |
 * | `mrg1:bucket:{tier}:{id}` | state of a token bucket, see `limits/bucket.ts` | until it is full again |
 * | `mrg1:quota:{chain}` | `period|used`: calls used by a chain of keys | 40 days |
 * | `mrg1:audit:{shard}` | stream: intents, until Postgres has the event | trimmed then |
 * | `mrg1:redeeming:{hash}` | `1`: an authorization code is being redeemed | 10 s |
 * | `mrg1:tries:{bucket}` | hash: attempts at an account's password, and when the next one is allowed (epoch ms) | 15 min, after a wait 1 h |
 * | `mrg1:ended:{grant}` | `1`: access tokens of this grant are refused | life of an access token |
 * | `mrg1:document:{hash}` | `good`, `bad` or `busy`: state of a client metadata document, by the hash of its address | as its origin says, at most a day |
 * | `mrg1:documents:{hash or all}` | how many of them were fetched from an origin, or in total | 1 min |
 * | `mrg1:registrations:{day}` | how many clients registered themselves on a day (days since 1970) | 1 day |
 * | `mrg1:proof:{hash}` | `1`: a DPoP proof (RFC 9449) was used | while it would be valid |
 * | `mrg1:usercodes:{user}` | how many user codes of devices a user entered | 15 min |
 * | `mrg1:decided:{hash}` | name of an attempt: a consent request, by the hash of its signature, was decided | life of the signature |
 * | `mrg1:dev:mailbox` | list of emails, development only | last 200 |
 */
export const redisKeys = {
  auth: (key: string) => `mrg1:auth:${key}`,
  /** Where Better Auth stores an authorization code, by its hash. */
  authorizationCode: (hash: string) => `mrg1:auth:verification:${hash}`,
  redeeming: (hash: string) => `mrg1:redeeming:${hash}`,
  keyRecord: (hash: string) => `mrg1:key:${hash}`,
  grantRecord: (grantId: string) => `mrg1:grant:${grantId}`,
  epoch: (subject: string) => `mrg1:epoch:${subject}`,
  verdict: (eventId: string) => `mrg1:verdict:${eventId}`,
  bucket: (tier: string, id: string) => `mrg1:bucket:${tier}:${id}`,
  quota: (chainId: string) => `mrg1:quota:${chainId}`,
  auditStream: (shard: number) => `mrg1:audit:${shard}`,
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
 * Connects to Upstash over REST. The client never retries commands, because a lost answer may hide an applied write.
 * Values stay strings, because Better Auth expects what it stored. Every request goes through the guard.
 */
export function connectRedis(
  config: Pick<Config, "UPSTASH_REDIS_REST_URL" | "UPSTASH_REDIS_REST_TOKEN" | "REDIS_TIMEOUT_MS">,
  guard: GuardRedis = translated,
): Redis {
  return new GuardedRedis(
    {
      url: config.UPSTASH_REDIS_REST_URL,
      token: config.UPSTASH_REDIS_REST_TOKEN,
      automaticDeserialization: false,
      enableAutoPipelining: false,
      enableTelemetry: false,
      readYourWrites: false,
      // Not `false`: that means one retry.
      retry: { retries: 0 },
      signal: () => AbortSignal.timeout(config.REDIS_TIMEOUT_MS),
    },
    guard,
  );
}

/**
 * A guard without a breaker. It also drops the error's text, where the client library puts the command with its values.
 */
const translated: GuardRedis = async (ask) => {
  try {
    return await ask();
  } catch {
    throw new RedisUnavailable("Redis did not answer.");
  }
};

class GuardedRedis extends Redis {
  constructor(settings: RedisConfigCloudflare, guard: GuardRedis) {
    super(settings);
    const { client } = this;
    const request = client.request.bind(client);
    client.request = <T>(asked: Parameters<typeof client.request>[0]) => guard(() => request<T>(asked));
  }
}
