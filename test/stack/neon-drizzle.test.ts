import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { neon } from "@neondatabase/serverless";
import { DrizzleQueryError, eq, sql as fragment } from "drizzle-orm";
import { drizzle, type NeonHttpDatabase } from "drizzle-orm/neon-http";
import { migrate } from "drizzle-orm/neon-http/migrator";
import * as pg from "drizzle-orm/pg-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { aimDriver, startSqlServer, temporaryFolder, type SqlServer } from "./servers.ts";

const bytea = pg.customType<{ data: Buffer }>({ dataType: () => "bytea" });
const docs = pg.pgTable("docs", {
  id: pg.uuid().primaryKey().defaultRandom(),
  n: pg.integer(),
  big: pg.bigint({ mode: "bigint" }),
  num: pg.numeric(),
  j: pg.jsonb(),
  js: pg.json(),
  tags: pg.text().array(),
  ts: pg.timestamp({ withTimezone: true }),
  ts2: pg.timestamp({ mode: "string" }),
  b: bytea(),
  ok: pg.boolean(),
  d: pg.date(),
  f: pg.doublePrecision(),
});

let server: SqlServer;
let sql: ReturnType<typeof neon<false, false>>;
let db: NeonHttpDatabase<{ docs: typeof docs }>;

beforeAll(async () => {
  server = await startSqlServer();
  aimDriver(server.endpoint);
  sql = neon(server.connectionString);
  db = drizzle(sql, { schema: { docs } });
  await sql`create table docs(id uuid primary key default gen_random_uuid(), n int, big int8, num numeric, j jsonb, js json,
    tags text[], ts timestamptz, ts2 timestamp, b bytea, ok bool, d date, f float8)`;
});
beforeEach(() => sql`truncate docs`);
afterAll(() => server.stop());

describe("Drizzle over the Neon endpoint", () => {
  it("gets back what it inserted, for every column type", async () => {
    const numbers = { n: 1, big: 9007199254740993n, num: "1.20", f: 0.1 };
    const times = { ts: new Date(), ts2: "2024-01-01 00:00:00", d: "2024-05-06" };
    const structures = { j: { a: 'é"\\', arr: [1] }, js: [1, 2], tags: ["x", "y,z", '"q"'] };
    const values = { ...numbers, ...times, ...structures, ok: false };
    const [row] = await db
      .insert(docs)
      .values({ ...values, b: Buffer.from([1, 2, 255]) })
      .returning();
    expect(row).toMatchObject(values);
    expect([...(row?.b ?? [])]).toEqual([1, 2, 255]);
    expect(await db.query.docs.findFirst({ where: eq(docs.id, row?.id ?? "") })).toMatchObject({ tags: values.tags });
  });

  it("runs a batch as one transaction and maps each result", async () => {
    const [inserted, selected, executed] = await db.batch([
      db.insert(docs).values({ n: 2 }).returning({ n: docs.n, j: docs.j }),
      db.select().from(docs).where(eq(docs.n, 2)),
      db.execute(fragment`select 1 as one`),
    ]);
    expect(inserted).toEqual([{ n: 2, j: null }]);
    expect(selected).toHaveLength(1);
    expect(executed.rows).toEqual([{ one: 1 }]);
  });

  it("wraps the database's error and refuses interactive transactions", async () => {
    const [row] = await db.insert(docs).values({}).returning();
    const duplicate = db.insert(docs).values({ id: row?.id });
    await expect(duplicate).rejects.toMatchObject({ cause: { code: "23505", constraint: "docs_pkey" } });
    await expect(duplicate).rejects.toBeInstanceOf(DrizzleQueryError);
    await expect(db.transaction(async () => {})).rejects.toThrow("No transactions support");
  });

  it("migrates once, however often it is asked to", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "meta"));
    writeFileSync(
      join(folder, "0000_a.sql"),
      "CREATE TABLE mig(id int);\n--> statement-breakpoint\nCREATE INDEX i ON mig(id);",
    );
    const entries = [{ idx: 0, version: "7", when: 1, tag: "0000_a", breakpoints: true }];
    writeFileSync(join(folder, "meta/_journal.json"), JSON.stringify({ version: "7", dialect: "postgresql", entries }));
    await migrate(db, { migrationsFolder: folder });
    await migrate(db, { migrationsFolder: folder });
    rmSync(folder, { recursive: true });
    expect(await sql`select count(*)::int c from drizzle.__drizzle_migrations`).toEqual([{ c: 1 }]);
  });
});
