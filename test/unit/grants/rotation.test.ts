import type { SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unauthenticated } from "../../../src/audit/event.ts";
import { lockRefresh, discardSuccessor, keepAnswer, releaseLock } from "../../../src/grants/rotation.ts";
import { sha256 } from "../../../src/platform/crypto.ts";

const REQUEST = { token: "refresh token", clientId: "client-1", fingerprint: "print" };

type Db = Parameters<typeof lockRefresh>[0];

/** A database that answers every statement with the same rows, and keeps their parameters. */
function database(rows: object[] = []) {
  const given: unknown[][] = [];
  const dialect = new PgDialect();
  const db = {
    execute: async (statement: SQL) => {
      given.push(dialect.sqlToQuery(statement).params);
      return { rows };
    },
  } as unknown as Db;
  return { db, given };
}

const BY = { actor: unauthenticated({ requestId: "req-1", ip: null, userAgent: null }), now: 1_800_000_000_000 };

/** An answer as it is kept for a token. */
async function sealed(answer: string, token: string): Promise<string> {
  const { db, given } = database([{}]);
  await keepAnswer(db, token, "lock-1", answer);
  return String(given[0]?.[0]);
}

const opened = (answer: string, token: string) =>
  lockRefresh(database([{ state: "answered", answer, grant_id: "g" }]).db, { ...REQUEST, token }, BY);

describe("the lock of a refresh token", () => {
  it("names the token by its hash, the client, the request and itself", async () => {
    const { db, given } = database([{ state: "locked", answer: null, grant_id: "grant-1" }]);
    const lock = await lockRefresh(db, REQUEST, BY);
    const lockId = given[0]?.[3];
    expect(given.map((params) => params.slice(0, 4))).toEqual([
      [await sha256("refresh token"), "client-1", "print", lockId],
    ]);
    expect(lock).toEqual({ state: "locked", lockId, grantId: "grant-1" });
    expect(lockId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    [
      { state: "replayed", grant_id: "grant-1" },
      { state: "replayed", grantId: "grant-1" },
    ],
    [{ state: "pending" }, { state: "pending" }],
    [{ state: "mismatch" }, { state: "mismatch" }],
    [{ state: "unknown" }, { state: "unknown" }],
    [{ state: "something else" }, { state: "unknown" }],
  ])("is told %j as %j", async (row, lock) => {
    expect(await lockRefresh(database([row]).db, REQUEST, BY)).toEqual(lock);
  });

  it("is unknown when Postgres says nothing", async () => {
    expect(await lockRefresh(database().db, REQUEST, BY)).toEqual({ state: "unknown" });
  });
});

describe("a kept answer", () => {
  it("opens for whoever presents the token, whatever it says", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme" }), fc.string(), async (answer, token) => {
        expect(await opened(await sealed(answer, token), token)).toEqual({ state: "answered", answer });
      }),
      { seed: 30, numRuns: 50 },
    );
  });

  it("opens for nobody else: a copy of the database gives away no token", async () => {
    const kept = await sealed('{"refresh_token":"secret"}', "refresh token");
    expect(kept).not.toContain("secret");
    expect(Buffer.from(kept, "base64url").toString("latin1")).not.toContain("secret");
    await expect(opened(kept, "refresh token ")).rejects.toThrow("operation");
    await expect(opened(kept, await sha256("refresh token"))).rejects.toThrow("operation");
  });

  it("is sealed afresh each time", async () => {
    expect(await sealed("x", "t")).not.toBe(await sealed("x", "t"));
  });

  it("is kept for one lock, and says when that has expired", async () => {
    const { db, given } = database([{}]);
    expect(await keepAnswer(db, "t", "lock-1", "x")).toBe(true);
    expect(given[0]?.slice(1)).toEqual([await sha256("t"), "lock-1"]);
    expect(await keepAnswer(database().db, "t", "lock-1", "x")).toBe(false);
  });
});

describe("a lock or a successor that is given up", () => {
  it("is named by hash: Postgres never sees a token", async () => {
    const { db, given } = database();
    await releaseLock(db, "t", "lock-1");
    await discardSuccessor(db, "successor");
    expect(given).toEqual([[await sha256("t"), "lock-1"], [await sha256("successor")]]);
  });
});
