import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../../src/platform/crypto.ts";
import { callTool, db, newUser, resetStats, stats } from "../../support/gateway.ts";

const letters = () =>
  [...crypto.getRandomValues(new Uint8Array(64))].map((byte) => String.fromCharCode(97 + (byte % 26))).join("");
const hex = (bytes: ArrayBuffer) =>
  [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

const statusOf = async (key: string, headers: Record<string, string> = {}) =>
  (await callTool("echo", { text: "x" }, { key, headers })).status;

/** A key as Better Auth 1.3 made them, as the import leaves it. */
async function importedKey(change = sql`enabled = true`): Promise<string> {
  const [key, { id: userId }] = [letters(), await newUser()];
  const id = crypto.randomUUID();
  await db.execute(sql`
    insert into apikey (id, name, start, reference_id, key, enabled, rate_limit_enabled, request_count, permissions, created_at, updated_at)
    values (${id}, 'Old', ${key.slice(0, 6)}, ${userId}, ${await sha256(key)}, true, false, 0, '{"mcp":["tools"]}', now(), now())`);
  await db.execute(sql`update apikey set ${change} where id = ${id}`);
  return key;
}

/** A key of the retired table with salted hashes, kept aside until it is presented. */
async function saltedKey(
  fields: { addresses?: string[]; lockedUntil?: string } = {},
): Promise<{ key: string; id: string }> {
  const [key, { id: userId }] = [`ek_${letters()}`, await newUser()];
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const hash = await crypto.subtle.digest("SHA-256", new Uint8Array([...salt, ...new TextEncoder().encode(key)]));
  const id = crypto.randomUUID();
  await db.execute(sql`
    insert into legacy_key (id, user_id, name, key_prefix, key_hash, salt, hash_algo, permissions, addresses, disabled_until, created_at)
    values (${id}, ${userId}, 'Salted', ${key.slice(0, 12)}, ${hex(hash)}, ${hex(salt.buffer)}, 'sha256', '{"mcp":["tools"]}',
      ${sql.param(fields.addresses ?? null)}, ${fields.lockedUntil ?? null}, now())`);
  return { key, id };
}

const rowsOf = async (id: string) =>
  (
    await db.execute<{ kept: number; made: number }>(sql`
      select (select count(*)::int from legacy_key where id = ${id}) as kept, (select count(*)::int from apikey where id = ${id}) as made`)
  ).rows[0];

describe("keys of the old system", () => {
  it("R5: work at /mcp as they did, in either header, and cost one Redis request when warm", async () => {
    const key = await importedKey();
    expect(await statusOf(key)).toBe(200);
    await resetStats();
    expect(await statusOf(key)).toBe(200);
    expect(
      (await stats()).log.filter(({ to, what }) => to === "upstash" && what[0] === "evalsha").length,
    ).toBeGreaterThan(0);
  });

  it.each([sql`enabled = false`, sql`expires_at = now() at time zone 'utc' - interval '1 minute'`])(
    "R5: that did not work do not work",
    async (change) => {
      expect(await statusOf(await importedKey(change))).toBe(401);
    },
  );

  it("R5: with a salted hash become ordinary ones the first time they are presented, also sixteen times at once", async () => {
    const { key, id } = await saltedKey();
    expect(await rowsOf(id)).toEqual({ kept: 1, made: 0 });
    const first = await Promise.all(Array.from({ length: 16 }, () => statusOf(key)));
    expect(new Set(first)).toEqual(new Set([200]));
    expect(await rowsOf(id)).toEqual({ kept: 0, made: 1 });
    expect(await statusOf(key)).toBe(200);
  });

  it("R5: R15: keep their address lists and their locks", async () => {
    const listed = await saltedKey({ addresses: ["203.0.113.0/24"] });
    expect(await statusOf(listed.key, { "cf-connecting-ip": "203.0.113.7" })).toBe(200);
    expect(await statusOf(listed.key, { "cf-connecting-ip": "198.51.100.7" })).toBe(403);
    const locked = await saltedKey({ lockedUntil: new Date(Date.now() + 3_600_000).toISOString() });
    expect(await statusOf(locked.key)).toBe(401);
    expect(await rowsOf(locked.id)).toEqual({ kept: 0, made: 1 });
  });

  it("J06: are not found by guessing: the prefix of a kept key and another end is refused, and the key stays", async () => {
    const { key, id } = await saltedKey();
    expect(await statusOf(`${key.slice(0, 12)}${letters()}`)).toBe(401);
    expect(await rowsOf(id)).toEqual({ kept: 1, made: 0 });
    expect(await statusOf(key)).toBe(200);
  });
});
