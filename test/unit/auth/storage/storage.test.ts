import type { SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/pg-proxy";
import { describe, expect, it } from "vitest";
import { authStorage, type StorageDeps } from "../../../../src/auth/storage/storage.ts";
import { withoutSessionFaults } from "../../../../src/auth/storage/session-faults.ts";
import { RedisUnavailable } from "../../../../src/platform/redis/script.ts";

const TOKEN = "a".repeat(32);
const AT = "2026-01-02 03:04:05";

/** A row of `session` and of `user` in the order of their columns. */
const SESSION = ["session-id", AT, TOKEN, AT, AT, "192.0.2.1", "agent", "user-id", null, "tenant-id"];
const USER = ["user-id", "Name", "person@example.com", true, null, AT, AT, "user", false, null, null];

/** Redis that notes what it is asked and fails when told to, and Postgres that answers with these rows. */
function stores({ rows = [], redis = async () => null }: { rows?: unknown[]; redis?: () => Promise<unknown> }) {
  const asked: unknown[][] = [];
  const statements: string[] = [];
  const command =
    (name: string) =>
    (...args: unknown[]) => {
      asked.push([name, ...args]);
      return redis();
    };
  const names = ["get", "set", "del", "getdel", "eval"];
  const proxy = drizzle(async (statement) => {
    statements.push(statement);
    return { rows };
  });
  const db = {
    select: proxy.select.bind(proxy),
    execute: async (query: SQL) => ({ rows: await proxy.execute(query) }),
  };
  const deps = { redis: Object.fromEntries(names.map((name) => [name, command(name)])), db };
  return { storage: authStorage(deps as unknown as StorageDeps), asked, statements };
}

const down = () => Promise.reject(new RedisUnavailable("down"));

describe("sessions in Better Auth's storage", () => {
  it("R13: are read from their rows, in the form in which Better Auth stores them", async () => {
    const { storage, asked, statements } = stores({ rows: [[...SESSION, ...USER]] });
    const kept = JSON.parse(String(await storage.get(TOKEN))) as Record<string, Record<string, unknown>>;
    expect(kept["session"]).toMatchObject({
      id: "session-id",
      token: TOKEN,
      userId: "user-id",
      activeOrganizationId: "tenant-id",
      expiresAt: "2026-01-02T03:04:05.000Z",
    });
    expect(kept["user"]).toMatchObject({ id: "user-id", role: "user", banned: false });
    expect([asked, statements.length]).toEqual([[], 1]);
  });

  it("are none when there is no row", async () => {
    const { storage } = stores({});
    expect([await storage.get(TOKEN), await storage.get("active-sessions-user-id")]).toEqual([null, null]);
  });

  it("of a person are listed from their rows", async () => {
    const { storage } = stores({ rows: [[TOKEN, AT]] });
    const list: unknown = JSON.parse(String(await storage.get("active-sessions-user-id")));
    expect(list).toEqual([{ token: TOKEN, expiresAt: Date.parse("2026-01-02T03:04:05Z") }]);
  });

  it("H04: are never written to Redis: no copy can outlive them", async () => {
    const { storage, asked, statements } = stores({});
    for (const key of [TOKEN, "active-sessions-user-id"]) {
      await storage.set(key, "{}", 60);
      await storage.delete(key);
    }
    expect([asked, statements]).toEqual([[], []]);
  });
});

describe("one-time codes in Better Auth's storage", () => {
  it("R6: are in Redis, with a lifetime in whole seconds", async () => {
    const { storage, asked } = stores({});
    await storage.set("verification:x", "value", 1.2);
    await storage.get("verification:x");
    await storage.delete("verification:x");
    await storage.getAndDelete?.("verification:x");
    const key = "mrg1:auth:verification:x";
    expect(asked).toEqual([
      ["set", key, "value", { ex: 2 }],
      ["get", key],
      ["del", key],
      ["getdel", key],
    ]);
  });

  it("M06: are closed while Redis does not answer: nothing stands in for it", async () => {
    const { storage, statements } = stores({ redis: down });
    const tries = [
      storage.get("verification:x"),
      storage.set("verification:x", "value", 60),
      storage.delete("verification:x"),
      storage.getAndDelete?.("verification:x"),
    ];
    for (const result of await Promise.allSettled(tries))
      expect(result).toMatchObject({ status: "rejected", reason: { name: "RedisUnavailable" } });
    expect(statements).toEqual([]);
  });
});

describe("counters in Better Auth's storage", () => {
  it("R6: are in Redis, with a lifetime of at least a second", async () => {
    const { storage, asked, statements } = stores({ redis: async () => [7, 30] });
    expect(await storage.increment?.("192.0.2.1|/sign-in/email", 0.2)).toBe(7);
    expect(asked).toEqual([["eval", expect.any(String), ["mrg1:auth:192.0.2.1|/sign-in/email"], ["1"]]]);
    expect(statements).toEqual([]);
  });

  it.each([
    ["does not answer", down],
    ["answers garbage", async () => "<html>"],
  ])("M06: are in Postgres while Redis %s", async (_how, redis) => {
    const { storage, statements } = stores({ redis, rows: [{ count: 3, left: 30 }] });
    expect(await storage.increment?.("mails:reset:x", 3600)).toBe(3);
    expect(statements).toEqual([expect.stringContaining("insert into try_count")]);
  });
});

describe("a request of the framework", () => {
  it("H04: fails when a look at a session failed, though the framework took that for an absent one", async () => {
    const { storage } = stores({});
    const failing = authStorage({
      redis: {} as StorageDeps["redis"],
      db: drizzle(() => Promise.reject(new Error("Postgres is down"))) as unknown as StorageDeps["db"],
    });
    const swallowed = (from: typeof storage) => () =>
      Promise.resolve(from.get(TOKEN)).then(
        (kept) => kept ?? "signed out",
        () => "signed out",
      );
    await expect(withoutSessionFaults(swallowed(failing))).rejects.toThrow("Failed query");
    expect(await withoutSessionFaults(swallowed(storage))).toBe("signed out");
  });
});
