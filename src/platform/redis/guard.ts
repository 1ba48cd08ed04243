import type { Breaker, BreakerSettings } from "./breaker.ts";
import { errorFields, type Log } from "../log.ts";
import { RedisUnavailable } from "./script.ts";

/** When an isolate stops sending requests to a Redis that does not answer. */
export const REDIS_BREAKER: BreakerSettings = { faults: 5, withinMs: 10_000, openMs: 10_000 };

/**
 * Sends one request to Redis, or fails at once if it would not be answered. Throws {@link RedisUnavailable} for every
 * failure.
 */
export type GuardRedis = <T>(ask: () => Promise<T>) => Promise<T>;

/**
 * Puts one breaker in front of all requests of an isolate to Redis. A fault is logged; a request that the breaker
 * refuses is not, so that an outage does not flood the log. What is thrown does not contain the error's text, where the
 * client library puts the command with its values.
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
  // For an answer that is not JSON, the library's message is the answer itself.
  if (typeof message !== "string" || rest["error"] === "UpstashJSONParseError") return rest;
  return { ...rest, message: message.split(/, command was: /)[0] };
}
