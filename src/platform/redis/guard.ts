import type { Breaker, BreakerSettings } from "./breaker.ts";
import { errorFields, type Log } from "../log.ts";
import { RedisUnavailable } from "./script.ts";

/** How long an isolate goes on asking a Redis that does not answer. */
export const REDIS_BREAKER: BreakerSettings = { faults: 5, withinMs: 10_000, openMs: 10_000 };

/** Sends one request to Redis, or says at once that it would not be answered. Throws {@link RedisUnavailable}, whatever went wrong. */
export type GuardRedis = <T>(ask: () => Promise<T>) => Promise<T>;

/**
 * Puts one breaker in front of every request of an isolate to Redis. A fault is a line in the log; what the breaker refuses is none, so that
 * an outage does not fill it. The text of an error stays out of what is thrown: the client library puts the command with its values there.
 */
export function redisGuard(breaker: Breaker, log: Log, now: () => number): GuardRedis {
  return async (ask) => {
    if (!breaker.allows(now())) throw new RedisUnavailable("Redis did not answer a moment ago.");
    try {
      const answer = await ask();
      breaker.succeeded(now());
      return answer;
    } catch (error) {
      const opened = breaker.failed(now());
      log("warn", "redis.fault", withoutCommand(error));
      if (opened) log("error", "redis.given_up", { seconds: REDIS_BREAKER.openMs / 1000 });
      throw error instanceof RedisUnavailable ? error : new RedisUnavailable("Redis did not answer.");
    }
  };
}

function withoutCommand(error: unknown) {
  const { message, ...rest } = errorFields(error);
  // Of an answer that is no JSON the library's message is the answer itself.
  if (typeof message !== "string" || rest["error"] === "UpstashJSONParseError") return rest;
  return { ...rest, message: message.split(/, command was: /)[0] };
}
