import type { Config } from "../config.ts";
import { within } from "../deadline.ts";
import { Unavailable } from "../errors.ts";

/** Runs one script; keys and arguments are strings, the answer is what Redis gives, bulk strings as text. */
export type RunScript = (script: RedisScript, keys: readonly string[], args: readonly string[]) => Promise<unknown>;

/** A script with the hash that Redis knows it by; the hash is worked out once per isolate, at first use. */
export interface RedisScript {
  source: string;
  sha1?: string;
}

/** Declares a script for Upstash: it locks only the keys that it is given (upstash.com/docs/redis/features/key-locking). */
export const redisScript = (body: string): RedisScript => ({ source: `#!lua flags=allow-key-locking\n${body.trim()}` });

/** Redis or its REST interface did not do as asked: the caller may not have its answer, and what was asked may have been done. */
export class RedisUnavailable extends Unavailable {
  override readonly name = "RedisUnavailable";
}

/**
 * Runs scripts through Upstash's REST interface by one plain request each: on the path of every call the client library costs more CPU
 * than all of the rest. Nothing is retried, but for a script that Redis has not seen yet, which ran not at all. Throws {@link RedisUnavailable}.
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

const textOf = (error: unknown) => (typeof error === "string" ? error : "an error that is no text");

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
