import type { Config } from "../config.ts";
import { within } from "../deadline.ts";
import { Unavailable } from "../errors.ts";

/** Runs one script. Keys and arguments are strings; the answer is Redis' reply, with bulk strings as text. */
export type RunScript = (script: RedisScript, keys: readonly string[], args: readonly string[]) => Promise<unknown>;

/** A script and its SHA-1, by which Redis caches it. The hash is computed once per isolate, at first use. */
export interface RedisScript {
  source: string;
  sha1?: string;
}

/** Declares a script for Upstash that locks only its given keys (upstash.com/docs/redis/features/key-locking). */
export const redisScript = (body: string): RedisScript => ({ source: `#!lua flags=allow-key-locking\n${body.trim()}` });

/** Redis or its REST interface failed. The answer may be lost although the command was executed. */
export class RedisUnavailable extends Unavailable {
  override readonly name = "RedisUnavailable";
}

/**
 * Runs scripts through Upstash's REST interface, with one plain request each: the client library would cost more CPU
 * than everything else on the path of a call. Nothing is retried, except a script that Redis has not cached yet, which
 * did not run. Throws {@link RedisUnavailable}.
 */
export function scriptRunner(
  config: Pick<Config, "UPSTASH_REDIS_REST_URL" | "UPSTASH_REDIS_REST_TOKEN" | "REDIS_TIMEOUT_MS">,
): RunScript {
  const headers = { authorization: `Bearer ${config.UPSTASH_REDIS_REST_TOKEN}` };

  async function command(words: readonly (string | number)[]): Promise<{ result?: unknown; error?: unknown }> {
    try {
      const body = JSON.stringify(words);
      return await within(config.REDIS_TIMEOUT_MS, async (signal) => {
        const response = await fetch(config.UPSTASH_REDIS_REST_URL, { method: "POST", headers, body, signal });
        const answer = await response.json<{ result?: unknown; error?: unknown } | null>();
        if (typeof answer !== "object" || answer === null || !("result" in answer || "error" in answer))
          throw new Error(`status ${response.status}`);
        return answer;
      });
    } catch (error) {
      throw new RedisUnavailable("Redis did not answer.", { cause: error });
    }
  }

  return async (script, keys, args) => {
    script.sha1 ??= await sha1(script.source);
    const words = [keys.length, ...keys, ...args];
    let answer = await command(["EVALSHA", script.sha1, ...words]);
    if (textOf(answer.error).includes("NOSCRIPT")) answer = await command(["EVAL", script.source, ...words]);
    if (answer.error !== undefined) throw new RedisUnavailable(textOf(answer.error).slice(0, 200));
    return answer.result;
  };
}

const textOf = (error: unknown) => (typeof error === "string" ? error : "an error that is not text");

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
