import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sql } from "drizzle-orm";
import { applyMigrations } from "../../commands/migrations.ts";
import { adoptLegacyKey } from "../../src/keys/legacy/adoption.ts";
import { connectDatabases, type Db } from "../../src/platform/postgres/db.ts";
import { keyWorks } from "../support/legacy-database.ts";
import { NOW } from "../support/conflicted-state.ts";
import { startSqlServer, type SqlServer } from "./servers.ts";

let server: SqlServer;
let db: Db;

beforeAll(async () => {
  server = await startSqlServer();
  await applyMigrations(server.connectionString);
  const url = server.connectionString;
  const settings = { DATABASE_URL: url, DATABASE_READ_URL: url, DATABASE_ANALYTICS_URL: url };
  db = connectDatabases({ ...settings, NEON_HTTP_ENDPOINT: server.endpoint }).write;
  await db.execute(sql`insert into "user" (id, name, email) values ('ada', 'Ada', 'ada@example.com')`);
  await db.execute(
    sql`insert into organization (id, name, slug, created_at) values ('personal-ada', 'Ada', 'personal-ada', now())`,
  );
  await db.execute(
    sql`insert into member (id, organization_id, user_id, role, created_at) values ('m', 'personal-ada', 'ada', 'owner', now())`,
  );
});
afterAll(() => server.stop());
beforeEach(async () => {
  await db.execute(sql`delete from apikey`);
  await db.execute(sql`delete from legacy_key`);
});

const KEY = "enhanced_key_0123456789";
const utcIso = (ms: number) => new Date(ms).toISOString();

/** Keeps a key aside as the import does. */
async function keep(
  id: string,
  key = KEY,
  row: { enabled?: boolean; addresses?: string[]; expiresAt?: number; lockedUntil?: number } = {},
) {
  const salt = createHash("md5").update(id).digest("hex");
  const keyHash = createHash("sha256").update(Buffer.from(salt, "hex")).update(key).digest("hex");
  await db.execute(sql`
    insert into legacy_key (id, user_id, name, key_prefix, key_hash, salt, hash_algo, permissions, addresses, enabled, expires_at, disabled_until, last_used_at, created_at)
    values (${id}, 'ada', 'Key', ${key.slice(0, 12)}, ${keyHash}, ${salt}, 'sha256', '{"mcp":["tools"]}', ${sql.param(row.addresses ?? null)}::text[],
      ${row.enabled ?? true}, ${row.expiresAt === undefined ? null : utcIso(row.expiresAt)}::timestamptz,
      ${row.lockedUntil === undefined ? null : utcIso(row.lockedUntil)}::timestamptz, '2026-01-01T00:00:00Z', '2025-01-01T00:00:00Z')`);
}

const ids = async (table: "apikey" | "api_key_policy" | "legacy_key") => {
  const column = table === "api_key_policy" ? "key_id" : "id";
  const { rows } = await db.execute<{ id: string }>(sql.raw(`select ${column} as id from ${table} order by 1`));
  return rows.map(({ id }) => id);
};

describe("a salted key that is presented for the first time", () => {
  it("R5: becomes an ordinary key with all that it was", async () => {
    await keep("one", KEY, { addresses: ["192.0.2.0/24"], expiresAt: NOW + 1000, lockedUntil: NOW - 1000 });
    expect(await adoptLegacyKey(db, KEY, NOW)).toBe(true);
    const { rows } = await db.execute(sql`
      select id, name, start, reference_id, enabled, rate_limit_enabled, remaining, permissions, expires_at::text, created_at::text, last_request::text,
        tenant_id, chain_id, addresses, (disabled_until at time zone 'utc')::text as disabled_until, version
      from apikey join api_key_policy on key_id = id`);
    expect(rows).toEqual([
      {
        id: "one",
        name: "Key",
        start: "enhanced_key",
        reference_id: "ada",
        enabled: true,
        rate_limit_enabled: false,
        remaining: null,
        permissions: '{"mcp":["tools"]}',
        expires_at: "2026-01-15 12:00:01",
        created_at: "2025-01-01 00:00:00",
        last_request: "2026-01-01 00:00:00",
        tenant_id: "personal-ada",
        chain_id: "one",
        addresses: ["192.0.2.0/24"],
        disabled_until: "2026-01-15 11:59:59",
        version: "1",
      },
    ]);
    expect(await keyWorks(db, KEY)).toBe(true);
    expect(await ids("legacy_key")).toEqual([]);
  });

  it("R5: is adopted once when many present it at once, and all of them are told to look again", async () => {
    for (let round = 0; round < 10; round++) {
      const key = `enhanced_key_round_${round}`;
      await keep(`r${round}`, key);
      const told = await Promise.all(Array.from({ length: 16 }, () => adoptLegacyKey(db, key, NOW)));
      expect(told).toEqual(Array.from({ length: 16 }, () => true));
    }
    expect(await ids("apikey")).toEqual(Array.from({ length: 10 }, (_, i) => `r${i}`));
    expect(await ids("api_key_policy")).toEqual(await ids("apikey"));
    expect(await ids("legacy_key")).toEqual([]);
  });

  it("R5: is found among more keys with its first characters than one request reads", async () => {
    await db.execute(sql`
      insert into legacy_key (id, user_id, name, key_prefix, key_hash, salt, hash_algo, permissions, created_at)
      select 'a' || n, 'ada', 'Key', ${KEY.slice(0, 12)}, repeat('0', 64), '00', case when n % 2 = 0 then 'sha256' else 'hmac-sha256' end, '{}', now()
      from generate_series(1, 1200) n`);
    await keep("z");
    expect(await adoptLegacyKey(db, `${KEY}x`, NOW)).toBe(false);
    expect(await adoptLegacyKey(db, KEY, NOW)).toBe(true);
    expect(await ids("apikey")).toEqual(["z"]);
    expect((await ids("legacy_key")).length).toBe(1200);
  });

  it.each([
    ["disabled", { enabled: false }],
    ["expired", { expiresAt: NOW }],
    ["locked", { lockedUntil: NOW + 60_000 }],
  ])("R5: works no more than before when it was %s", async (_, row) => {
    await keep("dead", KEY, row);
    expect(await adoptLegacyKey(db, KEY, NOW)).toBe(true);
    expect(await keyWorks(db, KEY)).toBe(false);
  });

  it("R5: is decided by the strictest of several rows, and leaves none of them", async () => {
    await keep("a");
    await keep("b", KEY, { enabled: false });
    await keep("c", KEY, { addresses: ["192.0.2.0/24"] });
    expect(await adoptLegacyKey(db, KEY, NOW)).toBe(true);
    expect(await ids("apikey")).toEqual(["b"]);
    expect(await keyWorks(db, KEY)).toBe(false);
    expect(await ids("legacy_key")).toEqual([]);
  });

  it("does nothing for a key that nobody kept, and none for a row of a key that is there already", async () => {
    await keep("one");
    for (const key of ["", "short", `${KEY}x`, KEY.slice(0, 12), "x".repeat(600)])
      expect(await adoptLegacyKey(db, key, NOW)).toBe(false);
    const hash = createHash("sha256").update(KEY).digest("base64url");
    await db.execute(
      sql`insert into apikey (id, reference_id, key, created_at, updated_at) values ('own', 'ada', ${hash}, now(), now())`,
    );
    expect(await adoptLegacyKey(db, KEY, NOW)).toBe(true);
    expect(await ids("apikey")).toEqual(["own"]);
    expect(await ids("legacy_key")).toEqual(["one"]);
  });
});
