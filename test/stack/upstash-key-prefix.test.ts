import { randomBytes } from "node:crypto";
import { Redis } from "@upstash/redis";
import { Redis as PlainRedis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createControls } from "../../dev/controls.ts";
import { startUpstashRest } from "../../dev/upstash-rest.ts";
import { removeKeys, startRedisServer, TOKEN, type RedisServer } from "./servers.ts";

let server: RedisServer;
let plain: PlainRedis;
let stacks: Awaited<ReturnType<typeof startUpstashRest>>[];
let one: Redis;
let two: Redis;
const prefix = `stack-test-${randomBytes(6).toString("hex")}:`;

const client = (url = "") => new Redis({ url, token: TOKEN, enableTelemetry: false, retry: false });

beforeAll(async () => {
  server = await startRedisServer();
  plain = new PlainRedis(server.redisUrl);
  const start = (keyPrefix: string) =>
    startUpstashRest({ redisUrl: server.redisUrl, token: TOKEN, keyPrefix, controls: createControls() });
  stacks = await Promise.all([start(`${prefix}one:`), start(`${prefix}two:`)]);
  one = client(stacks[0]?.url);
  two = client(stacks[1]?.url);
});
beforeEach(() => removeKeys(server.redisUrl, prefix));
afterAll(async () => {
  await Promise.all(stacks.map((stack) => stack.stop()));
  await removeKeys(server.redisUrl, prefix);
  plain.disconnect();
  await server.stop();
});

describe("two endpoints with different key prefixes before one Redis", () => {
  it("have keys of their own", async () => {
    await one.set("k", "first");
    await two.set("k", "second");
    expect([await one.get("k"), await two.get("k")]).toEqual(["first", "second"]);
    expect((await plain.keys(`${prefix}*`)).toSorted()).toEqual([`${prefix}one:k`, `${prefix}two:k`]);
  });

  it("prefix every key of commands that take several", async () => {
    await one.mset({ a: 1, b: 2 });
    expect(await one.mget("a", "b")).toEqual([1, 2]);
    await one.zadd("z1", { score: 1, member: "m" });
    expect(await one.zunionstore("z2", 2, ["z1", "none"])).toBe(1);
    await one.rename("a", "c");
    expect(await one.exists("a", "b", "c", "z2")).toBe(3);
    expect((await plain.keys(`${prefix}*`)).every((key) => key.startsWith(`${prefix}one:`))).toBe(true);
    expect(await one.del("b", "c", "z1", "z2")).toBe(4);
    expect(await plain.keys(`${prefix}*`)).toEqual([]);
  });

  it("name streams without the prefix when they are read", async () => {
    await one.xadd("s", "1-1", { f: "v" });
    expect(await one.xread("s", "0")).toEqual([["s", [["1-1", ["f", "v"]]]]]);
  });

  it("list, count and flush only their own keys", async () => {
    await one.mset({ k1: 1, k2: 2 });
    await two.set("k1", 3);
    expect((await one.keys("k*")).toSorted()).toEqual(["k1", "k2"]);
    expect((await one.scan(0, { count: 10_000 }))[1].toSorted()).toEqual(["k1", "k2"]);
    expect((await one.scan(0, { match: "*2", count: 10_000 }))[1]).toEqual(["k2"]);
    expect([await one.dbsize(), await two.dbsize()]).toEqual([2, 1]);
    expect(await one.flushdb()).toBe("OK");
    expect([await one.dbsize(), await two.dbsize()]).toEqual([0, 1]);
  });

  it("give scripts the prefixed keys, which the checker takes for declared", async () => {
    const source = "#!lua flags=allow-key-locking\nredis.call('SET', KEYS[1], ARGV[1]) return KEYS[1]";
    expect(await one.eval(source, ["k"], ["v"])).toBe(`${prefix}one:k`);
    expect([await one.get("k"), await two.get("k")]).toEqual(["v", null]);
    const bare = "#!lua flags=allow-key-locking\nreturn redis.call('GET', 'k')";
    await expect(one.eval(bare, ["k"], [])).rejects.toThrow("undeclared key 'k'");
  });

  it("do not hear each other's messages", async () => {
    const subscriber = one.psubscribe("*");
    await new Promise((resolve) => subscriber.on("psubscribe", resolve));
    const message = new Promise((resolve) => subscriber.on("pmessage", resolve));
    expect(await two.publish("chat", '"not for one"')).toBe(0);
    expect(await one.publish("chat", '"for one"')).toBe(1);
    expect(await message).toEqual({ pattern: "*", channel: "chat", message: "for one" });
    await subscriber.unsubscribe();
  });

  it("refuse commands whose keys they do not know", async () => {
    await expect(one.randomkey()).rejects.toThrow("cannot be confined to a key prefix");
    await expect(one.exec(["SORT", "k"])).rejects.toThrow("cannot be confined to a key prefix");
  });

  it("must have prefixes that are safe in patterns", async () => {
    const options = { redisUrl: server.redisUrl, token: TOKEN, controls: createControls() };
    await expect(startUpstashRest({ ...options, keyPrefix: "a*" })).rejects.toThrow('key prefix "a*"');
  });
});
