import { Redis } from "ioredis";
import { startEmbeddedRedis } from "../../../../dev/redis.ts";
import { createScripts } from "../../../../dev/redis-scripts.ts";
import type { RunScript } from "../../../../src/platform/redis/script.ts";

/** A Redis in this process that runs scripts as Upstash does: a key that was not declared is an error. Its clock is `Date`. */
export async function startScriptRedis() {
  const server = await startEmbeddedRedis();
  const redis = new Redis(server.url);
  const scripts = createScripts();
  const runScript: RunScript = async ({ source }, keys, args) => {
    const [name = "", ...words] = scripts(["EVAL", source, String(keys.length), ...keys, ...args]).command;
    return redis.call(String(name), ...words);
  };
  const stop = async () => {
    redis.disconnect();
    await server.stop();
  };
  return { redis, runScript, stop };
}
