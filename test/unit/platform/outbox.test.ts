import { drizzle } from "drizzle-orm/pg-proxy";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { flushOutbox, type ChangeDeps } from "../../../src/platform/outbox.ts";
import { startScriptRedis } from "./redis/script-redis.ts";
import { AppError, Unavailable } from "../../../src/platform/errors.ts";

interface Change {
  id: string;
  target: string;
  version: string;
  dead: boolean;
}

const change = (id: number, target = `key:hash-${id}`, version = id, dead = false): Change => ({
  id: String(id),
  target,
  version: String(version),
  dead,
});

/** An outbox and a Redis; `order` is what happened, one line each. `deletion` is how deleting goes. */
function fake(
  outbox: Change[],
  { redis, postgres, deletion = Promise.resolve() }: { redis?: Error; postgres?: Error; deletion?: Promise<void> } = {},
) {
  const order: string[] = [];
  const background: Promise<unknown>[] = [];
  const marks: { source: string; keys: readonly string[]; args: readonly string[] }[] = [];
  const taken = new Set<number>();
  const proxy = drizzle(async (_sql, params) => {
    order.push(`delete ${params.length}`);
    await deletion;
    for (const id of params) taken.add(Number(id));
    return { rows: [] };
  });
  const deps = {
    db: {
      execute: async () => {
        order.push("read");
        if (postgres) throw postgres;
        return { rows: outbox.filter(({ id }) => !taken.has(Number(id))).slice(0, 200) };
      },
      delete: proxy.delete.bind(proxy),
    },
    runScript: async ({ source }: { source: string }, keys: readonly string[], args: readonly string[]) => {
      order.push(`mark ${keys.length}`);
      marks.push({ source, keys, args });
      if (redis) throw redis;
      return keys.length;
    },
    background: (work: Promise<unknown>) => void background.push(work),
  } as unknown as ChangeDeps;
  const left = () => outbox.filter(({ id }) => !taken.has(Number(id))).length;
  return { deps, order, marks, left, background };
}

describe("R9: bringing changes to Redis", () => {
  it("R9: costs one look when there is none", async () => {
    const { deps, order, background } = fake([]);
    await flushOutbox(deps);
    expect(order).toEqual(["read"]);
    expect(background).toEqual([]);
  });

  it("R9: marks them all by one request, and only then takes them from the outbox", async () => {
    const { deps, order, left, background } = fake([change(1), change(2)]);
    await flushOutbox(deps);
    expect(order).toEqual(["read", "mark 2", "delete 2"]);
    await Promise.all(background);
    expect(left()).toBe(0);
  });

  it("R9: is done when Redis has them: nobody waits until they are gone from the outbox", async () => {
    const { deps, background } = fake([change(1)], { deletion: new Promise(() => {}) });
    await flushOutbox(deps);
    expect(background).toHaveLength(1);
  });

  it("R9: marks each with its version: keys that changed or ended, tenants and users", async () => {
    const { deps, marks } = fake([
      change(1, "key:hash-1", 7),
      change(2, "key:hash-2", 8, true),
      change(3, "epoch:t:tenant-1", 9),
      change(4, "epoch:u:user-1", 10, true),
    ]);
    await flushOutbox(deps);
    expect(marks).toMatchObject([
      {
        keys: ["mrg1:key:hash-1", "mrg1:key:hash-2", "mrg1:epoch:t:tenant-1", "mrg1:epoch:u:user-1"],
        args: ["7", "", "8", "dead", "9", "epoch", "10", "epoch"],
      },
    ]);
    expect(marks[0]?.source.startsWith("#!lua flags=allow-key-locking\n")).toBe(true);
  });

  it.each([
    [199, ["read", "mark 199", "delete 199"]],
    [200, ["read", "mark 200", "delete 200", "read"]],
    [401, ["read", "mark 200", "delete 200", "read", "mark 200", "delete 200", "read", "mark 1", "delete 1"]],
  ])("R9: goes on until none is left: %i", async (count, steps) => {
    const { deps, order, left, background } = fake(Array.from({ length: count }, (_, n) => change(n + 1)));
    await flushOutbox(deps);
    await Promise.all(background);
    expect(order).toEqual(steps);
    expect(left()).toBe(0);
  });

  it("R9: says that a revocation is pending when Redis does not take it, and forgets nothing", async () => {
    const { deps, order, left, background } = fake([change(1)], { redis: new Error("Redis does not answer: secret") });
    const error = await flushOutbox(deps).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: "revocation_pending", headers: { "retry-after": "5" } });
    expect(String(error)).not.toContain("secret");
    expect(order).toEqual(["read", "mark 1"]);
    expect([left(), background.length]).toEqual([1, 0]);
  });

  it("R9: brings what was left the next time, to no harm when Redis had it after all", async () => {
    const outbox = [change(1)];
    await flushOutbox(fake(outbox, { redis: new Error("away") }).deps).catch(() => {});
    const { deps, marks, left, background } = fake(outbox);
    await flushOutbox(deps);
    await Promise.all(background);
    expect(left()).toBe(0);
    // Marks go up only: the same one again changes nothing.
    expect(marks[0]?.source).toContain("if at < tonumber(version) then");
  });

  it("R9: is not called done when the outbox cannot be read", async () => {
    const away = new Unavailable("away");
    const error = await flushOutbox(fake([], { postgres: away }).deps).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "revocation_pending" });
  });
});

describe("R9: the marks of changes in Redis", async () => {
  const { redis, runScript, stop } = await startScriptRedis();
  afterAll(stop);
  beforeEach(async () => void (await redis.flushall()));

  const publish = async (...changes: Change[]) => flushOutbox({ ...fake(changes).deps, runScript });
  const RECORD = "mrg1:key:hash-1";
  const EPOCH = "mrg1:epoch:t:tenant-1";

  it("R9: take the place of the record, and live longer than one that was read before", async () => {
    await redis.set(RECORD, '3|5|7|{"id":"key-1"}', "EX", 30);
    await publish(change(1, "key:hash-1", 4), change(2, "epoch:t:tenant-1", 6));
    expect(await redis.mget(RECORD, EPOCH)).toEqual(["4|", "6"]);
    expect(await Promise.all([RECORD, EPOCH].map((key) => redis.ttl(key)))).toEqual([600, 86_400]);
  });

  it("R9: say when a key is gone for good", async () => {
    await publish(change(1, "key:hash-1", 4), change(2, "key:hash-1", 5, true));
    expect(await redis.get(RECORD)).toBe("5|dead");
  });

  it.each([
    ["an older mark", "5|", "4"],
    ["the same mark", "4|dead", "4"],
    ["a record that was read after the change", '4|5|7|{"id":"key-1"}', "4"],
    ["a record of a later one", '10|5|7|{"id":"key-1"}', "9"],
  ])("R9: go up only: %s changes nothing", async (_what, text, version) => {
    await redis.set(RECORD, text);
    await publish(change(1, "key:hash-1", Number(version)));
    expect(await redis.get(RECORD)).toBe(text);
  });

  it("R9: are compared as numbers", async () => {
    await redis.mset(RECORD, "9|", EPOCH, "9");
    await publish(change(1, "key:hash-1", 10), change(2, "epoch:t:tenant-1", 10));
    expect(await redis.mget(RECORD, EPOCH)).toEqual(["10|", "10"]);
  });

  it.each(["0|unknown", "<html>", ""])("R9: take the place of %j", async (text) => {
    await redis.set(RECORD, text);
    await publish(change(1, "key:hash-1", 1));
    expect(await redis.get(RECORD)).toBe("1|");
  });
});
