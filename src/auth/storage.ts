import type { SecondaryStorage } from "@better-auth/core/db";
import { redisKeys, type Redis } from "../platform/redis.ts";
import { takenValue } from "./token-request.ts";

const INCREMENT = `#!lua flags=allow-key-locking
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return count`;

/** Better Auth's `secondaryStorage` on Redis: sessions, one-time codes and the counters of its rate limiter. TTLs are seconds. */
export function redisStorage(redis: Pick<Redis, "get" | "set" | "del" | "getdel" | "eval">): SecondaryStorage {
  return {
    get: (key) => redis.get<string>(redisKeys.auth(key)),
    set: async (key, value, ttl) => {
      await redis.set(redisKeys.auth(key), value, ttl !== undefined && ttl > 0 ? { ex: Math.ceil(ttl) } : undefined);
    },
    delete: async (key) => {
      await redis.del(redisKeys.auth(key));
    },
    getAndDelete: async (key) => takenValue(key) ?? redis.getdel<string>(redisKeys.auth(key)),
    increment: async (key, ttl) =>
      Number(await redis.eval(INCREMENT, [redisKeys.auth(key)], [String(Math.max(1, Math.ceil(ttl)))])),
  };
}
