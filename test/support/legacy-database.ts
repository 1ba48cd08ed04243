import { createHash } from "node:crypto";
import { sql } from "drizzle-orm";
import pg from "pg";
import { MIGRATION_LOCK, MIGRATIONS } from "../../commands/migrations.ts";
import type { ImportOptions } from "../../commands/legacy/import.ts";
import { connectDatabases, type Db } from "../../src/platform/postgres/db.ts";
import { conflictedRows, loadConflictedState, NOW, type ConflictedRows } from "./conflicted-state.ts";
import { startSqlServer } from "../stack/servers.ts";

/** A database in the conflicted state, and copies of it; each is reached as its owner, over TCP and over HTTP. */
export interface LegacyDatabases {
  rows: ConflictedRows;
  /** Makes another database that is as the first one was; its URL. */
  copy(): Promise<string>;
  /** Runs one piece of work on a connection of its own. */
  within<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T>;
  overHttp(url: string): Db;
  /** Where Neon's HTTP is spoken. */
  endpoint: string;
  stop(): Promise<void>;
}

/** What the command passes on, at the moment that the old rows are made for. */
export const IMPORT: ImportOptions = {
  migrationsFolder: MIGRATIONS,
  migrationLock: MIGRATION_LOCK,
  now: NOW,
  dryRun: false,
};

/** Fills a database of its own, once. */
export async function startLegacyDatabases(): Promise<LegacyDatabases> {
  const server = await startSqlServer();
  const template = new URL(server.connectionString).pathname.slice(1);
  const rows = conflictedRows();
  await within(server.connectionString, (client) => loadConflictedState(client, rows));
  const administration = new URL(server.connectionString);
  administration.pathname = "/postgres";
  const copies: string[] = [];
  return {
    rows,
    within,
    endpoint: server.endpoint,
    async copy() {
      const name = `${template}_${copies.length + 1}`;
      copies.push(name);
      await within(administration.href, (client) => client.query(`create database ${name} template ${template}`));
      return server.connectionString.replace(template, name);
    },
    overHttp(url) {
      const settings = { DATABASE_URL: url, DATABASE_READ_URL: url, DATABASE_ANALYTICS_URL: url };
      return connectDatabases({ ...settings, NEON_HTTP_ENDPOINT: server.endpoint }).write;
    },
    async stop() {
      for (const name of copies) {
        await within(administration.href, (client) => client.query(`drop database if exists ${name} with (force)`));
      }
      await server.stop();
    },
  };
}

async function within<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  // A connection that a test cuts says so here as well.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Everything that is in a database: each table with its columns, indexes, triggers and rows, and each function. */
export async function contentsOf(client: pg.Client): Promise<Record<string, unknown>> {
  const { rows: tables } = await client.query<{ name: string; shape: string }>(`
    select c.oid::regclass::text as name,
      (select string_agg(attname || ' ' || format_type(atttypid, atttypmod) || attnotnull, ', ' order by attnum) from pg_attribute
        where attrelid = c.oid and attnum > 0 and not attisdropped)
      || coalesce((select string_agg(pg_get_indexdef(indexrelid), '; ' order by indexrelid) from pg_index where indrelid = c.oid), '')
      || coalesce((select string_agg(pg_get_constraintdef(oid), '; ' order by conname) from pg_constraint where conrelid = c.oid), '')
      || coalesce((select string_agg(tgname || ' ' || tgenabled::text, '; ' order by tgname) from pg_trigger where tgrelid = c.oid and not tgisinternal), '') as shape
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema') order by 1`);
  const contents: Record<string, unknown> = {};
  for (const { name, shape } of tables) {
    const { rows } = await client.query<{ text: string }>(`select t::text as text from ${name} t order by 1`);
    contents[name] = { shape, rows: rows.map(({ text }) => text) };
  }
  const { rows: functions } = await client.query<{ name: string }>(
    `select proname || ' ' || n.nspname as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname not in ('pg_catalog', 'information_schema') order by 1`,
  );
  return { ...contents, functions: functions.map(({ name }) => name) };
}

/** Whether a key works by the rules of this gateway: enabled, not expired, paused, revoked or used up, its owner not banned. Undefined: unknown. */
export async function keyWorks(db: Pick<Db, "execute">, secret: string): Promise<boolean | undefined> {
  const hash = createHash("sha256").update(secret).digest("base64url");
  const at = sql`to_timestamp(${NOW}::float8 / 1000)`;
  const { rows } = await db.execute<{ works: boolean }>(sql`
    select k.enabled and coalesce(k.expires_at > ${at} at time zone 'utc', true) and coalesce(p.disabled_until <= ${at}, true)
      and p.revoked_at is null and coalesce(p.quota_max > 0, true) and not coalesce(u.banned, false) as works
    from apikey k join api_key_policy p on p.key_id = k.id join "user" u on u.id = k.reference_id
      join member m on m.user_id = u.id and m.organization_id = p.tenant_id
    where k.key = ${hash} and k.config_id = 'default'`);
  return rows[0]?.works;
}

/** Whether a registry token would be taken for publishing: its verifier reads `api_token` only (R4). */
export async function tokenPublishes(db: Pick<Db, "execute">, secret: string): Promise<boolean> {
  const hash = createHash("sha256").update(secret).digest("hex");
  const { rows } = await db.execute(sql`select 1 from api_token where token_hash = ${hash} and revoked_at is null
    and coalesce(expires_at > to_timestamp(${NOW}::float8 / 1000), true)`);
  return rows.length > 0;
}
