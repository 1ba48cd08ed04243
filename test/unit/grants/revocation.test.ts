import type { SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { describe, expect, it } from "vitest";
import { endGrant, grantOfRefreshToken, hasEnded, type GrantDeps } from "../../../src/grants/revocation.ts";
import { sha256 } from "../../../src/platform/crypto.ts";

/** Stores that keep, in order, what they were asked to do. */
function stores(rows: object[] = []) {
  const done: unknown[][] = [];
  const marks = new Set<string>();
  const dialect = new PgDialect();
  const deps = {
    db: {
      execute: async (statement: SQL) => {
        const { sql, params } = dialect.sqlToQuery(statement);
        done.push(["postgres", sql.replace(/\s+/g, " ").trim(), ...params]);
        return { rows };
      },
    },
    redis: {
      set: async (key: string, value: string, options: object) => {
        done.push(["redis", key, value, options]);
        marks.add(key);
      },
      exists: async (key: string) => (marks.has(key) ? 1 : 0),
    },
    accessTokenSeconds: 900,
  } as unknown as GrantDeps;
  return { deps, done };
}

describe("the end of a grant", () => {
  it("B11: is in Postgres first, then marked in Redis for longer than its access tokens live", async () => {
    const { deps, done } = stores();
    await endGrant(deps, "grant-1");
    expect(done).toEqual([
      ["postgres", "select end_grant($1)", "grant-1"],
      ["redis", "mrg1:ended:grant-1", "1", { ex: 960 }],
    ]);
  });

  it("B11: is seen at once, of that grant only", async () => {
    const { deps } = stores();
    expect(await hasEnded(deps, "grant-1")).toBe(false);
    await endGrant(deps, "grant-1");
    expect(await hasEnded(deps, "grant-1")).toBe(true);
    expect(await hasEnded(deps, "grant-2")).toBe(false);
  });

  it("is not confirmed when a store failed", async () => {
    const { deps, done } = stores();
    const db = {
      execute: async () => Promise.reject(new Error("Postgres does not answer")),
    } as unknown as GrantDeps["db"];
    await expect(endGrant({ ...deps, db }, "grant-1")).rejects.toThrow("Postgres does not answer");
    expect(done).toEqual([]);
    const redis = { ...deps.redis, set: async () => Promise.reject(new Error("Redis does not answer")) };
    await expect(endGrant({ ...deps, redis }, "grant-1")).rejects.toThrow("Redis does not answer");
  });
});

describe("the grant of a refresh token", () => {
  it("G01: is found by the hash of the token and its client", async () => {
    const { deps, done } = stores([{ grant_id: "grant-1" }]);
    expect(await grantOfRefreshToken(deps, "secret token", "client-1")).toBe("grant-1");
    expect(done[0]?.slice(2)).toEqual([await sha256("secret token"), "client-1"]);
    expect(done[0]?.[1]).toMatch(/where token = \$1 and client_id = \$2$/);
  });

  it.each([[[]], [[{ grant_id: null }]]])("is none when there is no such token or it has none", async (rows) => {
    expect(await grantOfRefreshToken(stores(rows).deps, "t", "c")).toBeNull();
  });
});
