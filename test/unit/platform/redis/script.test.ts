import { createHash } from "node:crypto";
import { afterEach, describe, expect, it, vi } from "vitest";
import { isUnavailable } from "../../../../src/platform/errors.ts";
import { redisScript, RedisUnavailable, scriptRunner } from "../../../../src/platform/redis/script.ts";

const URL = "https://redis.example.com";
const runner = scriptRunner({ UPSTASH_REDIS_REST_URL: URL, UPSTASH_REDIS_REST_TOKEN: "token-1", REDIS_TIMEOUT_MS: 50 });
const script = () => redisScript("return ARGV[1]");
const SHA1 = createHash("sha1").update("#!lua flags=allow-key-locking\nreturn ARGV[1]").digest("hex");

type Answer = Response | Error | ((signal: AbortSignal) => Promise<Response>);

/** Answers requests from a list, one after the other; `words` is what was asked. */
function fetches(...answers: Answer[]) {
  const words: unknown[][] = [];
  const requests: { url: string; init: object }[] = [];
  vi.stubGlobal("fetch", async (url: string, init: { body: string; signal: AbortSignal }) => {
    requests.push({ url, init });
    words.push(JSON.parse(init.body) as unknown[]);
    const answer = answers.shift();
    if (answer === undefined) throw new TypeError("asked more often than foreseen");
    if (answer instanceof Error) throw answer;
    return typeof answer === "function" ? answer(init.signal) : answer;
  });
  return { words, requests };
}

const result = (value: unknown) => Response.json({ result: value });
const failure = (error: string, status = 400) => Response.json({ error }, { status });
const run = async () => runner(script(), ["k1", "k2"], ["a"]).catch((error: unknown) => error);

afterEach(() => {
  vi.unstubAllGlobals();
});

describe("running a script", () => {
  it("is one request, by the hash that Redis knows the script by", async () => {
    const { words, requests } = fetches(result(["ok", ""]));
    expect(await run()).toEqual(["ok", ""]);
    expect(words).toEqual([["EVALSHA", SHA1, 2, "k1", "k2", "a"]]);
    expect(requests[0]).toMatchObject({
      url: URL,
      init: { method: "POST", headers: { authorization: "Bearer token-1" } },
    });
  });

  it.each([[null], [0], [""], [[]]])("answers what Redis gives: %j", async (value) => {
    fetches(result(value));
    expect(await run()).toEqual(value);
  });

  it("sends the script itself once when Redis has not seen it", async () => {
    const { words } = fetches(failure("NOSCRIPT No matching script. Please use EVAL."), result(7));
    expect(await run()).toBe(7);
    expect(words).toEqual([
      ["EVALSHA", SHA1, 2, "k1", "k2", "a"],
      ["EVAL", "#!lua flags=allow-key-locking\nreturn ARGV[1]", 2, "k1", "k2", "a"],
    ]);
  });

  it("works the hash out once", async () => {
    const digest = vi.spyOn(crypto.subtle, "digest");
    const one = script();
    fetches(result(1), result(2));
    await runner(one, [], []);
    await runner(one, [], []);
    expect(digest).toHaveBeenCalledTimes(1);
    digest.mockRestore();
  });

  it("declares the keys that are locked before all else", () => {
    expect(redisScript("\n  return 1\n").source).toBe("#!lua flags=allow-key-locking\nreturn 1");
  });
});

describe("M06: a Redis that does not do as asked", () => {
  it.each<[string, () => Answer[]]>([
    ["an error of the script", () => [failure("ERR user_script:1: attempt to index a nil value")]],
    ["no memory", () => [failure("OOM command not allowed when used memory > 'maxmemory'", 200)]],
    ["a token that is none", () => [failure("WRONGPASS invalid or missing auth token", 401)]],
    ["a script that Redis will not keep", () => [failure("NOSCRIPT"), failure("NOSCRIPT")]],
    ["an error after the script was sent", () => [failure("NOSCRIPT"), new TypeError("fetch failed")]],
    ["no connection", () => [new TypeError("fetch failed")]],
    ["HTML", () => [new Response("<html>", { status: 502 })]],
    ["nothing", () => [new Response(null, { status: 500 })]],
    ["null", () => [Response.json(null)]],
    ["text", () => [Response.json("OK")]],
    ["neither result nor error", () => [Response.json({})]],
  ])("M06: is unavailable, and is not asked again: %s", async (_what, answers) => {
    const listed = answers();
    const { words } = fetches(...listed);
    const error = await run();
    expect(error).toBeInstanceOf(RedisUnavailable);
    expect(isUnavailable(error)).toBe(true);
    expect(words).toHaveLength(listed.length);
  });

  it("M06: is unavailable when it does not answer in time, which can be told from a lost answer", async () => {
    const never = (signal: AbortSignal) =>
      new Promise<Response>((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    const { words } = fetches(never);
    const error = await run();
    expect(error).toMatchObject({ name: "RedisUnavailable", cause: { name: "DeadlineExceeded" } });
    expect(words).toHaveLength(1);
  });

  it("M06: says no more of an error than fits into a line", async () => {
    fetches(failure("x".repeat(5_000)));
    expect(String(await run()).length).toBeLessThan(300);
  });

  it("M06: never says the token", async () => {
    fetches(new TypeError("fetch failed"));
    const error = (await run()) as Error;
    expect(JSON.stringify([error.message, String(error.cause)])).not.toContain("token-1");
  });
});
