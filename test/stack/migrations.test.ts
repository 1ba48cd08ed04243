import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { relative, resolve } from "node:path";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applyMigrations, MIGRATIONS } from "../../commands/migrations.ts";
import { startStack } from "../../dev/stack.ts";
import { SCHEMA_VERSION } from "../../src/platform/version.ts";
import { command, operatorCommand } from "../support/command.ts";
import { contentsOf } from "../support/legacy-database.ts";
import { startSqlServer, temporaryFolder, type SqlServer } from "./servers.ts";

let server: SqlServer;
let owner: pg.Client;

beforeEach(async () => {
  server = await startSqlServer();
  owner = new pg.Client({ connectionString: server.connectionString });
  await owner.connect();
});
afterEach(async () => {
  await owner.end();
  await server.stop();
});

const LAST = String(SCHEMA_VERSION - 1).padStart(4, "0");
const migrateCommand = () => operatorCommand("migrate.ts", [], { MIGRATION_DATABASE_URL: server.connectionString });

/** The list of migrations as another version, or another product, leaves it. */
const leaveUnknownList = () =>
  owner.query(`create schema drizzle;
    create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint);
    insert into drizzle.__drizzle_migrations (hash, created_at) values (repeat('ab', 32), 1), (repeat('cd', 32), 2)`);

describe("npm run db:migrate", () => {
  it("says which migrations it applied, and the second time that there were none", async () => {
    const first = await migrateCommand();
    expect(first).toEqual({ code: 0, output: `Applied ${SCHEMA_VERSION} migrations (0000–${LAST}).\n` });
    const second = await migrateCommand();
    expect(second).toEqual({ code: 0, output: `The database is up to date (${SCHEMA_VERSION} migrations).\n` });
  });

  it("changes nothing in a database with migrations that it does not know, and names them", async () => {
    await leaveUnknownList();
    const before = await contentsOf(owner);
    const { code, output } = await migrateCommand();
    expect(code).toBe(1);
    expect(output).toContain(
      "migrations that this version does not know: abababababab, cdcdcdcdcdcd. Nothing was changed.",
    );
    expect(await contentsOf(owner)).toEqual(before);
  });

  it("changes nothing in a database that a later version has migrated", async () => {
    await applyMigrations(server.connectionString);
    await owner.query(
      "insert into drizzle.__drizzle_migrations (hash, created_at) values (repeat('ef', 32), 4000000000000)",
    );
    const before = await contentsOf(owner);
    expect(await applyMigrations(server.connectionString)).toEqual({ kind: "unknown", hashes: ["ef".repeat(32)] });
    expect(await contentsOf(owner)).toEqual(before);
  });

  it("changes nothing in a database that has tables of another system", async () => {
    await owner.query(`create table "user" (id text)`);
    const before = await contentsOf(owner);
    const { code, output } = await migrateCommand();
    expect(code).toBe(1);
    expect(output).toContain("tables of another system. Nothing was changed.");
    expect(output).toContain("npm run legacy:import");
    expect((await contentsOf(owner))['"user"']).toEqual(before['"user"']);
  });
});

describe("npm start", () => {
  it("says how to start again when the local database has migrations that this version does not know", async () => {
    await leaveUnknownList();
    const directory = temporaryFolder();
    const options = { directory, baseUrl: "http://localhost:8787", log: () => undefined };
    try {
      await expect(startStack({ ...options, postgresUrl: server.connectionString })).rejects.toThrow(
        "npm start -- --fresh",
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("npm run db:generate", () => {
  it("has nothing to generate: the migrations are in step with the schemas", async () => {
    const folder = temporaryFolder();
    try {
      cpSync(MIGRATIONS, folder, { recursive: true });
      const root = resolve(MIGRATIONS, "..");
      const [, schema = ""] = /schema: "(.*?)"/.exec(readFileSync(resolve(root, "drizzle.config.ts"), "utf8")) ?? [];
      const out = relative(root, folder);
      const settings = ["--dialect", "postgresql", "--schema", schema, "--out", out];
      const { code, stdout } = await command("drizzle-kit", ["generate", ...settings]);
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("No schema changes") as string });
      expect(readdirSync(folder).toSorted()).toEqual(readdirSync(MIGRATIONS).toSorted());
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
