import { createHash } from "node:crypto";
import { Ratelimit } from "@upstash/ratelimit";
import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startRedisServer, TOKEN, type RedisServer } from "./servers.ts";

const FLAG = "#!lua flags=allow-key-locking\n";
// The clock of Redis, several hashes, all or nothing: the shape of our own rate limiter.
const ALL_OR_NOTHING = `${FLAG}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left, blocked = {}, 0
for i = 1, #KEYS do
  local capacity, cost = tonumber(ARGV[i * 2 - 1]), tonumber(ARGV[i * 2])
  local stored = redis.call('HMGET', KEYS[i], 'left', 'at')
  left[i] = (tonumber(stored[1]) or capacity) - cost
  if left[i] < 0 and blocked == 0 then blocked = i end
end
if blocked > 0 then return {0, blocked, cjson.encode({})} end
for i = 1, #KEYS do
  redis.call('HSET', KEYS[i], 'left', left[i], 'at', now)
  redis.call('PEXPIRE', KEYS[i], 60000)
end
return {1, 0, cjson.encode(left)}`;

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedisServer();
  redis = new Redis({ url: server.endpoint, token: TOKEN, enableTelemetry: false, retry: false });
});
beforeEach(() => redis.flushall());
afterAll(() => server.stop());

const sha1 = (text: string) => createHash("sha1").update(text).digest("hex");

describe("scripts", () => {
  it("get keys and arguments and give back nested values", async () => {
    const result = await redis.eval("return {KEYS[1],ARGV[1],7,false}", ["a"], ["b"]);
    expect(result).toEqual([`${server.keyPrefix}a`, "b", 7, null]);
    expect(await redis.eval("return cjson.encode({ok=true})", [], [])).toEqual({ ok: true });
  });

  it("run by digest once loaded, and are NOSCRIPT before", async () => {
    await expect(redis.evalsha("f".repeat(40), [], [])).rejects.toThrow("NOSCRIPT");
    expect(await redis.evalsha(await redis.scriptLoad("return 9"), [], [])).toBe(9);
    const script = redis.createScript<number>('return redis.call("INCRBY", KEYS[1], ARGV[1])');
    expect([await script.exec(["n"], ["3"]), await script.exec(["n"], ["3"])]).toEqual([3, 6]);
  });

  it("over several keys take from all or from none", async () => {
    const script = redis.createScript<unknown[]>(ALL_OR_NOTHING);
    const take = () => script.exec(["{t}:user", "{t}:org"], ["3", "1", "10", "4"]);
    expect([await take(), await take(), await take()]).toEqual([
      [1, 0, [2, 6]],
      [1, 0, [1, 2]],
      [0, 2, {}],
    ]);
  });
});

describe("scripts with allow-key-locking", () => {
  it("are known by the digest of what the client sent", async () => {
    const source = `${FLAG}return ARGV[1]`;
    await redis.scriptFlush();
    expect(await redis.scriptExists(sha1(source))).toEqual([0]);
    await expect(redis.evalsha(sha1(source), [], ["x"])).rejects.toThrow("NOSCRIPT");
    expect(await redis.scriptLoad(source)).toBe(sha1(source));
    expect(await redis.scriptExists(sha1(source), "0".repeat(40))).toEqual([1, 0]);
    expect(await redis.evalsha(sha1(source), [], ["x"])).toBe("x");
    await redis.scriptFlush();
    await expect(redis.evalsha(sha1(source), [], ["x"])).rejects.toThrow("NOSCRIPT");
    expect(await redis.eval(source, [], ["y"])).toBe("y");
    expect(await redis.evalsha(sha1(source), [], ["z"])).toBe("z");
  });

  it("run inside a transaction", async () => {
    const source = `${FLAG}return redis.call('INCR', KEYS[1])`;
    const results = await redis.multi().set("n", 4).eval(source, ["n"], []).evalsha(sha1(source), ["n"], []).exec();
    expect(results).toEqual(["OK", 5, 6]);
  });

  // Each line is one call in a script with KEYS = a, b and a third key that was not declared.
  const calls = [
    "'GET', %s",
    "'hset', %s, 'f', 1",
    "'MGET', KEYS[1], %s",
    "'DEL', KEYS[1], KEYS[2], %s",
    "'EXISTS', %s",
    "'UNLINK', %s",
    "'MSET', KEYS[1], 'undeclared', %s, 1",
    "'RENAMENX', KEYS[1], %s",
    "'SMOVE', %s, KEYS[1], 'm'",
    "'ZUNIONSTORE', KEYS[1], 2, KEYS[2], %s",
    "'ZUNIONSTORE', %s, 1, KEYS[2]",
    "'ZINTER', 2, KEYS[1], %s",
    "'BITOP', 'AND', KEYS[1], %s",
    "'XREAD', 'COUNT', 1, 'STREAMS', KEYS[1], %s, '0', '0'",
    "'XGROUP', 'CREATE', %s, 'g', '0', 'MKSTREAM'",
    "'XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', %s, '0'",
  ];
  it.each(calls)("must declare every key of redis.call(%s)", async (call) => {
    await redis.set("b", 1);
    const script = (key: string) => `${FLAG}return redis.pcall(${call.replace("%s", key)})`;
    const undeclared = `ERR script accessed undeclared key '${server.keyPrefix}c'`;
    const key = `'${server.keyPrefix}c'`;
    await expect(redis.eval(script(key), ["a", "b"], [])).rejects.toThrow(undeclared);
    const digest = await redis.scriptLoad(script(key));
    await expect(redis.evalsha(digest, ["a", "b"], [])).rejects.toThrow(undeclared);
    // Declared, the call goes through to Redis, which may still find fault with the types of the values.
    const answer = redis.eval(script("KEYS[3]"), ["a", "b", "c"], []);
    await expect(answer.then(() => "", String)).resolves.not.toContain("undeclared");
  });

  it("may build the name of a declared key", async () => {
    const source = `${FLAG}return redis.call('SET', ARGV[1] .. ':' .. 7, 'x')`;
    expect(await redis.eval(source, ["user:7"], [`${server.keyPrefix}user`])).toBe("OK");
    expect(await redis.get("user:7")).toBe("x");
  });

  it("may call commands without keys", async () => {
    const source = `${FLAG}return {#redis.call('TIME'), redis.call('PING'), redis.call('PUBLISH', 'channel', 'm'), redis.sha1hex('a')}`;
    expect(await redis.eval(source, [], [])).toEqual([2, "PONG", 0, sha1("a")]);
  });

  it("may not call commands that need the whole database, nor any that the checker does not know", async () => {
    for (const command of ["FLUSHDB", "KEYS", "SCAN", "DBSIZE"]) {
      await expect(redis.eval(`${FLAG}return redis.call('${command}', '0')`, [], [])).rejects.toThrow(
        "needs the whole database",
      );
    }
    const unknown = redis.eval(`${FLAG}return redis.call('NO.SUCH', KEYS[1])`, ["a"], []);
    await expect(unknown).rejects.toThrow("does not know the command 'no.such': add it to KEY_RULES");
  });

  it("keep their line numbers in errors", async () => {
    await expect(redis.eval(`${FLAG}local x = nil\nreturn x.y`, [], [])).rejects.toThrow("user_script:3:");
  });

  it("get errors of Redis as they are, and can catch them", async () => {
    await redis.set("s", "text");
    await expect(redis.eval(`${FLAG}return redis.call('INCR', KEYS[1])`, ["s"], [])).rejects.toThrow("not an integer");
    expect(await redis.eval(`${FLAG}return redis.pcall('INCR', KEYS[1]).err ~= nil`, ["s"], [])).toBe(1);
  });

  it("may not carry flags that this endpoint cannot honour", async () => {
    const source = "#!lua flags=no-writes,allow-key-locking\nreturn 1";
    await expect(redis.eval(source, [], [])).rejects.toThrow("only understands");
  });
});

describe("scripts without the flag", () => {
  it("reach any key", async () => {
    expect(
      await redis.eval(
        `redis.call('SET', KEYS[1] .. ':other', 1) return #redis.call('KEYS', KEYS[1] .. '*')`,
        ["k"],
        [],
      ),
    ).toBe(1);
    expect(await redis.get("k:other")).toBe(1);
  });
});

describe("@upstash/ratelimit", () => {
  it.each([
    ["a token bucket", Ratelimit.tokenBucket(5, "10 s", 3), 3],
    ["a sliding window", Ratelimit.slidingWindow(4, "10 s"), 4],
    ["a fixed window", Ratelimit.fixedWindow(2, "1 d"), 2],
  ] as const)("counts and resets %s", async (_name, limiter, allowed) => {
    const ratelimit = new Ratelimit({ redis, limiter, prefix: "rl", analytics: false, ephemeralCache: false });
    const results = [];
    for (let i = 0; i < 6; i++) results.push((await ratelimit.limit("user")).success);
    expect(results).toEqual(Array.from({ length: 6 }, (_, i) => i < allowed));
    expect((await ratelimit.getRemaining("user")).remaining).toBe(0);
    await ratelimit.resetUsedTokens("user");
    expect((await ratelimit.limit("user")).success).toBe(true);
  });

  it("records analytics", async () => {
    const ratelimit = new Ratelimit({
      redis,
      limiter: Ratelimit.slidingWindow(4, "10 s"),
      analytics: true,
      prefix: "an",
    });
    await (
      await ratelimit.limit("user")
    ).pending;
    expect(await redis.keys("an:events*")).toHaveLength(1);
  });
});
