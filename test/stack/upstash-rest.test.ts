import { Redis } from "@upstash/redis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startRedisServer, TOKEN, type RedisServer } from "./servers.ts";

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedisServer();
  redis = new Redis({ url: server.endpoint, token: TOKEN, enableTelemetry: false, retry: false });
});
beforeEach(() => redis.flushall());
afterAll(() => server.stop());

/** A request without the client library: method and path, body, further headers. Returns status and JSON body. */
async function request(
  line: string,
  body?: BodyInit,
  headers: Record<string, string> = {},
): Promise<[number, unknown]> {
  const [method = "", path = ""] = line.split(" ");
  const init = {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, ...headers },
    ...(body === undefined ? {} : { body }),
  };
  const response = await fetch(`${server.endpoint}${path}`, init);
  return [response.status, await response.json()];
}

describe("commands of @upstash/redis", () => {
  it("work on strings: values of every type, options, expiry", async () => {
    expect(await redis.set("k", { a: 1, s: "é" })).toBe("OK");
    expect(await redis.get("k")).toEqual({ a: 1, s: "é" });
    expect(await redis.get("none")).toBeNull();
    expect(await redis.set("k", 1, { nx: true })).toBeNull();
    expect(await redis.set("k", 1, { ex: 5 })).toBe("OK");
    expect(await redis.ttl("k")).toBeGreaterThan(0);
    expect(await redis.mget("k", "none")).toEqual([1, null]);
    expect(await redis.incr("counter")).toBe(1);
    expect(await redis.getdel("counter")).toBe(1);
  });

  it("are not confused by values that look like status replies", async () => {
    await redis.mset({ ok: "OK", pong: "PONG" });
    expect(await redis.mget("ok", "pong")).toEqual(["OK", "PONG"]);
    expect(await redis.ping()).toBe("PONG");
  });

  it("work on hashes, sorted sets, lists and the key space", async () => {
    await redis.hset("h", { a: 1, b: "x" });
    expect(await redis.hgetall("h")).toEqual({ a: 1, b: "x" });
    await redis.zadd("z", { score: 1, member: "m" }, { score: 2, member: "n" });
    expect(await redis.zrange("z", 0, -1, { withScores: true })).toEqual(["m", 1, "n", 2]);
    await redis.rpush("l", "a", "b");
    expect(await redis.lrange("l", 0, -1)).toEqual(["a", "b"]);
    const keys: string[] = [];
    let cursor = "0";
    do {
      const [next, page] = await redis.scan(cursor, { match: "*", count: 1000 });
      keys.push(...page);
      cursor = next;
    } while (cursor !== "0");
    expect(keys.toSorted()).toEqual(["h", "l", "z"]);
  });

  it("share one pipeline when they are issued together, in order", async () => {
    expect(await Promise.all([redis.set("p", 1), redis.incr("p"), redis.decr("p")])).toEqual(["OK", 2, 1]);
  });

  it("in a pipeline fail one by one", async () => {
    const results = await redis.pipeline().set("s", "a").incr("s").get("s").exec({ keepErrors: true });
    expect(results[0]).toMatchObject({ result: "OK" });
    expect(results[1]?.error).toContain("not an integer");
    expect(results[2]).toMatchObject({ result: "a" });
  });

  it("run as one transaction", async () => {
    expect(await redis.multi().set("m", 5).incr("m").get("m").exec()).toEqual(["OK", 6, 6]);
  });

  it("report errors of Redis and a wrong token", async () => {
    await redis.set("s", "a");
    await expect(redis.incr("s")).rejects.toMatchObject({
      name: "UpstashError",
      message: expect.stringContaining("ERR value is not an integer"),
    });
    const stranger = new Redis({ url: server.endpoint, token: "wrong", retry: false });
    await expect(stranger.get("x")).rejects.toThrow("WRONGPASS");
  });
});

describe("the REST interface", () => {
  it("takes a command as path, with the body as last argument and options as query", async () => {
    expect(await request("POST /set/key?EX=100", "a/b c")).toEqual([200, { result: "OK" }]);
    expect(await request("GET /get/key")).toEqual([200, { result: "a/b c" }]);
    const [, ttl] = await request("GET /ttl/key");
    expect((ttl as { result: number }).result).toBeGreaterThan(90);
    expect(await request("GET /set/k%2Fey/v%20w")).toEqual([200, { result: "OK" }]);
    expect(await request("POST /", '["GET","k/ey"]')).toEqual([200, { result: "v w" }]);
  });

  it("keeps binary bodies and gives them back in base64", async () => {
    await request("POST /set/binary", new Uint8Array([0, 255, 10]));
    expect(await request("GET /get/binary", undefined, { "upstash-encoding": "base64" })).toEqual([
      200,
      { result: "AP8K" },
    ]);
    expect(await request("GET /get/binary")).toEqual([200, { result: "\u0000\uFFFD\n" }]);
  });

  it("encodes strings, nested ones too, but not numbers, null and the reply OK", async () => {
    const script = ["EVAL", "return {'a', {'b', 1}, false, 'OK'}", "0"];
    const headers = { "upstash-encoding": "base64" };
    expect(await request("GET /set/k/v", undefined, headers)).toEqual([200, { result: "OK" }]);
    const answer = await request("POST /", JSON.stringify(script), headers);
    expect(answer).toEqual([200, { result: ["YQ==", ["Yg==", 1], null, "T0s="] }]);
  });

  it("takes the token as parameter too, and refuses requests without one", async () => {
    expect(await (await fetch(`${server.endpoint}/ping?_token=${TOKEN}`)).json()).toEqual({ result: "PONG" });
    expect((await fetch(`${server.endpoint}/ping`)).status).toBe(401);
  });

  it("answers with a sync token", async () => {
    const response = await fetch(`${server.endpoint}/ping`, { headers: { authorization: `Bearer ${TOKEN}` } });
    expect(response.headers.get("upstash-sync-token")).toBe("0");
  });

  it("refuses what a shared connection cannot do", async () => {
    for (const command of [
      ["BLPOP", "l", 0],
      ["SELECT", 1],
      ["MULTI"],
      ["XREAD", "BLOCK", 0, "STREAMS", "s", "0"],
      ["CONFIG", "GET", "*"],
    ]) {
      const [status, body] = await request("POST /", JSON.stringify(command));
      expect([status, (body as { error: string }).error]).toEqual([
        400,
        expect.stringContaining("ERR Command is not available"),
      ]);
    }
  });

  it("executes nothing of a transaction that holds an impossible command", async () => {
    const [status, body] = await request("POST /multi-exec", '[["SET","t","1"],["BLPOP","l",0]]');
    expect([status, body]).toEqual([400, { error: "ERR Command is not available: 'blpop'" }]);
    expect((await request("POST /multi-exec", '[["SET","t","1"],["GET"]]'))[0]).toBe(400);
    expect(await redis.exists("t")).toBe(0);
  });

  it("says what is wrong with a request that it cannot read", async () => {
    for (const [line, body, status] of [
      ["POST /", "{", 400],
      ["POST /", "[]", 400],
      ["POST /pipeline", '["GET","k"]', 400],
      ["DELETE /get/k", undefined, 405],
    ] as const) {
      expect(await request(line, body)).toEqual([status, { error: expect.stringMatching(/^ERR /) }]);
    }
  });
});
