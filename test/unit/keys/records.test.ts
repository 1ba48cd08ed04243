import type { SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { findKeyRecord, forgetKeyRecord, type KeyDeps } from "../../../src/keys/records.ts";
import { generateApiKey } from "../../../src/keys/token.ts";
import { sha256 } from "../../../src/platform/crypto.ts";

// Postgres answers without a zone: what is read here must not depend on where this runs.
beforeAll(() => {
  vi.stubEnv("TZ", "Asia/Kolkata");
});
afterAll(() => {
  vi.unstubAllEnvs();
});

const ROW = {
  id: "key-1",
  name: "laptop" as string | null,
  user_id: "user-1",
  permissions: '{"mcp":["tools"],"audit":["read"],"files":["read"]}' as string | null,
  enabled: true as boolean | null,
  expires_at: null as string | null,
};
const RECORD = {
  id: "key-1",
  name: "laptop",
  userId: "user-1",
  tenantId: "personal-user-1",
  scopes: ["mcp:tools", "audit:read"],
  enabled: true,
  expiresAt: null,
};

/** A Redis of one map and a table of one key, which keep what they were asked. */
function stores(rows: Record<string, typeof ROW> = {}) {
  const state = {
    redis: new Map<string, string>(),
    ttls: new Map<string, unknown>(),
    gets: [] as string[],
    statements: [] as { sql: string; params: unknown[] }[],
  };
  const dialect = new PgDialect();
  const deps = {
    redis: {
      get: async (key: string) => {
        state.gets.push(key);
        return state.redis.get(key) ?? null;
      },
      set: async (key: string, value: string, options: { ex: number }) => {
        state.redis.set(key, value);
        state.ttls.set(key, options);
        return "OK";
      },
      del: async (key: string) => Number(state.redis.delete(key)),
    },
    db: {
      execute: async (statement: SQL) => {
        const query = dialect.sqlToQuery(statement);
        state.statements.push(query);
        const row = rows[String(query.params[0])];
        return { rows: row ? [row] : [] };
      },
    },
  } as unknown as KeyDeps;
  return { deps, state };
}

/** Stores in which one key exists, with the record as the row says. */
async function withKey(change: Partial<typeof ROW> = {}) {
  const key = generateApiKey();
  const hash = await sha256(key);
  return { key, hash, ...stores({ [hash]: { ...ROW, ...change } }) };
}

describe("R7: the record of a key", () => {
  it("R7: is read by the hash of the key from the table of Better Auth", async () => {
    const { key, hash, deps, state } = await withKey();
    expect(await findKeyRecord(deps, key)).toEqual(RECORD);
    expect(state.statements).toHaveLength(1);
    expect(state.statements[0]?.params).toEqual([hash]);
    expect(state.statements[0]?.sql).toMatch(/from apikey k .*where k\.key = \$1 and k\.config_id = 'default'/s);
  });

  it("R7: says that a banned owner's key is disabled", async () => {
    const { key, deps, state } = await withKey({ enabled: false });
    expect(await findKeyRecord(deps, key)).toEqual({ ...RECORD, enabled: false });
    expect(state.statements[0]?.sql).toContain("k.enabled and not coalesce(u.banned, false) as enabled");
  });

  it("R7: counts as disabled unless the table says that it is enabled", async () => {
    const { key, deps } = await withKey({ enabled: null });
    expect((await findKeyRecord(deps, key))?.enabled).toBe(false);
  });

  it("R7: expires in UTC", async () => {
    const { key, deps } = await withKey({ expires_at: "2026-01-02 03:04:05.678" });
    expect((await findKeyRecord(deps, key))?.expiresAt).toBe(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
  });

  it.each([null, "null", "{}", '{"mcp":"tools"}', '["mcp:tools"]'])(
    "R7: holds no scope when its permissions are %s",
    async (permissions) => {
      const { key, deps } = await withKey({ permissions });
      expect((await findKeyRecord(deps, key))?.scopes).toEqual([]);
    },
  );

  it("R7: is not that of a key that differs in one character", async () => {
    const { key, deps } = await withKey();
    expect(await findKeyRecord(deps, `${key.slice(0, -1)}!`)).toBeNull();
  });
});

describe("R9: the cache of key records", () => {
  it("R9: answers the next call without the database, with one request", async () => {
    const { key, hash, deps, state } = await withKey({ expires_at: "2026-01-02 03:04:05" });
    const first = await findKeyRecord(deps, key);
    const second = await findKeyRecord(deps, key);
    expect(second).toEqual(first);
    expect(state.statements).toHaveLength(1);
    expect(state.gets).toEqual([`mrg1:key:${hash}`, `mrg1:key:${hash}`]);
  });

  it("R9: keeps a record for 30 seconds, and for 5 that there is none", async () => {
    const { key, hash, deps, state } = await withKey();
    await findKeyRecord(deps, key);
    expect(state.ttls.get(`mrg1:key:${hash}`)).toEqual({ ex: 30, nx: true });

    const unknown = generateApiKey();
    expect(await findKeyRecord(deps, unknown)).toBeNull();
    expect(await findKeyRecord(deps, unknown)).toBeNull();
    expect(state.statements).toHaveLength(2);
    expect(state.ttls.get(`mrg1:key:${await sha256(unknown)}`)).toEqual({ ex: 5, nx: true });
  });

  it("J10: holds neither the key nor its hash as a value", async () => {
    const { key, hash, deps, state } = await withKey();
    await findKeyRecord(deps, key);
    const values = [...state.redis.values()].join();
    expect(values).not.toContain(key);
    expect(values).not.toContain(hash);
    expect([...state.redis.keys()].join()).not.toContain(key);
  });

  it("R9: is asked again after a change", async () => {
    const { key, hash, deps, state } = await withKey();
    await findKeyRecord(deps, key);
    await forgetKeyRecord(deps, hash);
    await findKeyRecord(deps, key);
    await findKeyRecord(deps, key);
    expect(state.statements).toHaveLength(3);
    expect(state.ttls.get(`mrg1:key:${hash}`)).toEqual({ ex: 60 });
  });

  it("R9: forgets no other key", async () => {
    const { key, deps, state } = await withKey();
    await findKeyRecord(deps, key);
    await forgetKeyRecord(deps, await sha256(generateApiKey()));
    await findKeyRecord(deps, key);
    expect(state.statements).toHaveLength(1);
  });

  it("R8: fails closed when Redis does not answer", async () => {
    const { key, deps } = await withKey();
    const redis = { ...deps.redis, get: async () => Promise.reject(new Error("Redis does not answer")) };
    await expect(findKeyRecord({ ...deps, redis }, key)).rejects.toThrow("Redis does not answer");
  });

  it("R8: fails closed when Postgres does not answer, and caches nothing", async () => {
    const { key, deps, state } = await withKey();
    const db = {
      execute: async () => Promise.reject(new Error("Postgres does not answer")),
    } as unknown as KeyDeps["db"];
    await expect(findKeyRecord({ ...deps, db }, key)).rejects.toThrow("Postgres does not answer");
    expect(state.redis.size).toBe(0);
  });
});
