import { PgDialect } from "drizzle-orm/pg-core";
import type { SQL } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { signingKeys } from "../../../src/identity/signing-keys.ts";

// Postgres answers without a zone: what is read here must not depend on where this runs.
beforeAll(() => {
  vi.stubEnv("TZ", "Asia/Kolkata");
});
afterAll(() => {
  vi.unstubAllEnvs();
});

const SECOND = 1000;
const PUBLIC = { kty: "EC", crv: "P-256", x: "x", y: "y" };

const row = (id: string) => ({
  id,
  public_key: JSON.stringify(PUBLIC),
  private_key: `"sealed ${id}"`,
  created_at: "2026-01-02 03:04:05.678",
  expires_at: null as string | null,
  alg: "ES256" as string | null,
  crv: "P-256" as string | null,
});

/** A database that holds rows, keeps the statements it was given, and can be told to fail; with a clock. */
function fake(...rows: ReturnType<typeof row>[]) {
  const state = { rows, statements: [] as { sql: string; params: unknown[] }[], now: 1_000_000, down: false };
  const dialect = new PgDialect();
  const db = {
    execute: async (statement: SQL) => {
      state.statements.push(dialect.sqlToQuery(statement));
      if (state.down) throw new Error("the database does not answer");
      return { rows: [...state.rows] };
    },
  } as unknown as Parameters<typeof signingKeys>[0];
  const keys = signingKeys(db, () => state.now);
  return { state, keys, ids: async (unknownKid = false) => (await keys.publicKeys(unknownKid)).map(({ kid }) => kid) };
}

describe("the signing keys", () => {
  it("are public in the form of RFC 7517, with their id and use, and without anything private", async () => {
    const { keys } = fake(row("k1"));
    expect(await keys.publicKeys()).toEqual([{ ...PUBLIC, kid: "k1", use: "sig", alg: "ES256" }]);
  });

  it("are Better Auth's own, with times in UTC", async () => {
    const { keys } = fake({ ...row("k1"), expires_at: "2027-01-02 03:04:05" }, { ...row("k2"), alg: null, crv: null });
    expect(await keys.adapter.getJwks()).toEqual([
      {
        id: "k1",
        publicKey: JSON.stringify(PUBLIC),
        privateKey: '"sealed k1"',
        createdAt: new Date("2026-01-02T03:04:05.678Z"),
        expiresAt: new Date("2027-01-02T03:04:05Z"),
        alg: "ES256",
        crv: "P-256",
      },
      {
        id: "k2",
        publicKey: JSON.stringify(PUBLIC),
        privateKey: '"sealed k2"',
        createdAt: new Date("2026-01-02T03:04:05.678Z"),
      },
    ]);
  });

  it("are read once in five minutes", async () => {
    const { state, keys, ids } = fake(row("k1"));
    await ids();
    state.rows = [row("k1"), row("k2")];
    state.now += 300 * SECOND - 1;
    expect(await ids()).toEqual(["k1"]);
    await keys.adapter.getJwks();
    expect(state.statements).toHaveLength(1);
    state.now += 1;
    expect(await ids()).toEqual(["k1", "k2"]);
    expect(state.statements).toHaveLength(2);
  });

  it("are read again for an unknown key id, at most every five seconds", async () => {
    const { state, ids } = fake(row("k1"));
    await ids();
    state.rows = [row("k1"), row("k2")];
    state.now += 5 * SECOND - 1;
    for (let i = 0; i < 10; i++) expect(await ids(true)).toEqual(["k1"]);
    expect(state.statements).toHaveLength(1);
    state.now += 1;
    expect(await ids(true)).toEqual(["k1", "k2"]);
    for (let i = 0; i < 10; i++) await ids(true);
    expect(state.statements).toHaveLength(2);
  });

  it("are not remembered when there are none yet", async () => {
    const { state, ids } = fake();
    expect(await ids()).toEqual([]);
    state.rows = [row("k1")];
    expect(await ids()).toEqual(["k1"]);
  });

  it("are not forgotten when reading them again fails", async () => {
    const { state, ids } = fake(row("k1"));
    await ids();
    state.down = true;
    state.now += 60 * SECOND;
    await expect(ids(true)).rejects.toThrow("the database does not answer");
    expect(await ids()).toEqual(["k1"]);
  });

  it("are kept for each gateway apart", async () => {
    const [one, other] = [fake(row("k1")), fake(row("k2"))];
    expect(await one.ids()).toEqual(["k1"]);
    expect(await other.ids()).toEqual(["k2"]);
  });

  it("are known at once after one was added, which is stored with all it has", async () => {
    const { state, keys, ids } = fake(row("k1"));
    await ids();
    const made = await keys.adapter.createJwk({
      publicKey: "public",
      privateKey: "sealed",
      createdAt: new Date("2026-02-03T04:05:06Z"),
      expiresAt: new Date("2027-02-03T04:05:06Z"),
      alg: "ES256",
    });
    state.rows.push(row(made.id));
    expect(await ids()).toEqual(["k1", made.id]);
    const insert = state.statements[1];
    expect(insert?.sql).toContain("insert into jwks");
    expect(insert?.params).toEqual([
      made.id,
      "public",
      "sealed",
      "2026-02-03T04:05:06.000Z",
      "2027-02-03T04:05:06.000Z",
      "ES256",
      null,
    ]);
  });
});
