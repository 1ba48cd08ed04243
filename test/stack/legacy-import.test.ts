import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyMigrations } from "../../commands/migrations.ts";
import { importLegacy } from "../../commands/legacy/import.ts";
import type { ImportReport } from "../../commands/legacy/report.ts";
import type { Sql } from "../../commands/legacy/state.ts";
import { keyTableChecklist } from "../../src/keys/legacy/checklist.ts";
import { adoptLegacyKey } from "../../src/keys/legacy/adoption.ts";
import { NOW } from "../support/conflicted-state.ts";
import {
  contentsOf,
  IMPORT,
  keyWorks,
  startLegacyDatabases,
  tokenPublishes,
  type LegacyDatabases,
} from "../support/legacy-database.ts";

let databases: LegacyDatabases;

beforeAll(async () => {
  databases = await startLegacyDatabases();
});
afterAll(() => databases.stop());

const run = (url: string, options: Partial<typeof IMPORT> = {}) =>
  databases.within(url, (client) => importLegacy(client, { ...IMPORT, ...options }));
const contents = (url: string) => databases.within(url, contentsOf);

/** Presents every secret that there ever was and compares what happens with what the old system did. */
async function expectAsBefore(url: string): Promise<void> {
  const db = databases.overHttp(url);
  const wrong: string[] = [];
  for (const { label, secret, worked, published, salted } of databases.rows.secrets) {
    const adopted = (await keyWorks(db, secret)) === undefined && (await adoptLegacyKey(db, secret, NOW));
    const works = (await keyWorks(db, secret)) ?? false;
    if (works !== worked || adopted !== salted) wrong.push(`${label}: works ${works}, adopted ${adopted}`);
    if ((await tokenPublishes(db, secret)) !== published) wrong.push(`${label}: publishing is not ${published}`);
  }
  expect(wrong).toEqual([]);
}

const total = (report: ImportReport | undefined, source: string, usedAs: string) =>
  (report?.counts ?? [])
    .filter((row) => row.source === source && row.usedAs === usedAs)
    .reduce((sum, { count }) => sum + count, 0);

/** A connection that is lost before its `nth` statement, or while the answer to it is on its way. */
function cutConnection(sql: Sql, cut: () => void, nth: number, when: "before" | "after"): Sql & { sent: number } {
  return {
    sent: 0,
    async query(text, values) {
      this.sent += 1;
      if (this.sent > nth || (this.sent === nth && when === "before")) {
        cut();
        throw new Error("connection lost");
      }
      const answer = await sql.query(text, values);
      if (this.sent < nth) return answer;
      cut();
      throw new Error("connection lost");
    },
  };
}

/** Runs the import until its connection is lost; how many statements it came to send, and whether it was interrupted at all. */
const interrupted = (url: string, nth: number, when: "before" | "after" = "before") =>
  databases.within(url, async (client) => {
    const stream = (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream;
    const sql = cutConnection(client, () => stream.destroy(), nth, when);
    const lost = await importLegacy(sql, IMPORT).then(
      () => false,
      () => true,
    );
    return { lost, sent: sql.sent };
  });

describe("the import of a conflicted database", () => {
  it("R5: keeps every key that worked working and every other one not, accounts for every row, and leaves a backup", async () => {
    const url = await databases.copy();
    const { state, report } = await run(url);
    expect(state).toBe("conflicted");
    const { tables } = databases.rows;
    expect(tables.apiKey.length + tables.api_token.length + tables.enhanced_api_keys.length).toBeGreaterThan(200);
    expect(total(report, "apiKey", "key")).toBe(tables.apiKey.length);
    expect(total(report, "api_token", "token")).toBe(tables.api_token.length);
    expect(total(report, "api_token", "key")).toBe(tables.api_token.filter((row) => row["start"] !== undefined).length);
    expect(total(report, "enhanced_api_keys", "key")).toBe(tables.enhanced_api_keys.length);
    const backup = await databases.within(url, (client) =>
      client.query(`select (select count(*)::int from legacy."apiKey") as keys, (select count(*)::int from legacy.api_token) as tokens,
        (select count(*)::int from legacy.enhanced_api_keys) as salted, (select count(*)::int from legacy."user") as users`),
    );
    expect(backup.rows).toEqual([
      {
        keys: tables.apiKey.length,
        tokens: tables.api_token.length,
        salted: tables.enhanced_api_keys.length,
        users: tables.user.length,
      },
    ]);
    await expectAsBefore(url);
  });

  it("R5: changes nothing in a dry run, which reports what the import then does", async () => {
    const url = await databases.copy();
    const before = await contents(url);
    const plan = await run(url, { dryRun: true });
    expect(await contents(url)).toEqual(before);
    expect(await run(url)).toEqual(plan);
  });

  it("R5: changes nothing the second time, not even when keys were deleted meanwhile", async () => {
    const url = await databases.copy();
    const first = await run(url);
    await databases.within(url, (client) =>
      client.query("delete from apikey where id in (select id from apikey order by id limit 5)"),
    );
    const before = await contents(url);
    expect(await run(url)).toEqual({ state: "imported", report: first.report });
    await applyMigrations(url);
    expect(await contents(url)).toEqual(before);
  });

  it("R5: leaves a database that passes the checklist", async () => {
    const url = await databases.copy();
    await run(url);
    const items = await databases.within(url, (client) =>
      keyTableChecklist(async (statement) => (await client.query<Record<string, unknown>>(statement)).rows),
    );
    expect(items.filter(({ ok }) => !ok)).toEqual([]);
    expect(items.length).toBeGreaterThan(10);
  });

  it("R5: takes databases that never had some of the old tables or columns", async () => {
    const url = await databases.copy();
    await databases.within(url, (client) =>
      client.query(
        `drop table "apiKey", enhanced_api_keys; alter table api_token drop column "start", drop column metadata, drop column enabled`,
      ),
    );
    const { report } = await run(url);
    expect(report?.counts.map(({ source, usedAs, outcome }) => `${source} ${usedAs} ${outcome}`)).toEqual([
      "api_token token imported",
      "api_token token imported",
    ]);
  });

  it("R5: moves other products' tables of the same names and its list of migrations aside", async () => {
    const url = await databases.copy();
    await databases.within(url, (client) =>
      client.query(`create table session (id text primary key); create table servers (owner text references "user"); create schema drizzle;
        create table drizzle.__drizzle_migrations (id serial primary key, hash text, created_at bigint);
        insert into drizzle.__drizzle_migrations (hash, created_at) values ('other', 1)`),
    );
    await run(url);
    const after = Object.keys(await contents(url));
    expect(after).toEqual(
      expect.arrayContaining(["session", "legacy.session", "servers", "legacy.__drizzle_migrations"]),
    );
    await applyMigrations(url);
  });

  it("refuses a database that holds both schemas, and touches none that holds no old tables", async () => {
    const url = await databases.copy();
    await databases.within(url, (client) => client.query(`drop table api_token, "apiKey", enhanced_api_keys, "user"`));
    expect(await run(url)).toEqual({ state: "foreign", report: undefined });
    await applyMigrations(url);
    expect(await run(url)).toEqual({ state: "foreign", report: undefined });
    await databases.within(url, (client) => client.query(`create table "apiKey" (id text)`));
    await expect(run(url)).rejects.toThrow("already has this gateway's schema");
  });

  it("undoes everything when a rule does not hold", async () => {
    const url = await databases.copy();
    const before = await contents(url);
    const forgetful = (client: Sql): Sql => ({
      query: (text, values) =>
        client.query(text.includes("insert into public.api_token") ? `${text} and revoked_at is null` : text, values),
    });
    await expect(databases.within(url, (client) => importLegacy(forgetful(client), IMPORT))).rejects.toThrow(
      "it is not true that every registry token is there, unchanged, and no other",
    );
    expect(await contents(url)).toEqual(before);
  });
});

describe("an interrupted import", () => {
  it(
    "R5: has done nothing at whichever statement its connection was lost, and succeeds when it is run again",
    { timeout: 600_000 },
    async () => {
      let url = await databases.copy();
      const before = await contents(url);
      let statements = 0;
      for (let nth = 1; ; nth++) {
        // What is undone stays in the catalog as dead rows, through which every statement has to go.
        if (nth % 25 === 0) url = await databases.copy();
        const { lost, sent } = await interrupted(url, nth);
        if (!lost) break;
        statements = sent;
        expect(await contents(url), `after statement ${nth}`).toEqual(before);
      }
      expect(statements).toBeGreaterThan(150);
      expect((await run(url)).state).toBe("imported");
      await expectAsBefore(url);
    },
  );

  it("R5: is complete when only the answer to its last statement was lost", async () => {
    const [url, other] = [await databases.copy(), await databases.copy()];
    const { sent } = await interrupted(url, Infinity);
    const { lost } = await interrupted(other, sent, "after");
    expect(lost).toBe(true);
    expect((await run(other)).state).toBe("imported");
    await expectAsBefore(other);
  });
});
