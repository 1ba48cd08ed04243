import { readMigrationFiles } from "drizzle-orm/migrator";
import type { DatabaseState, Sql } from "./state.ts";

/**
 * Moves the old tables with their indexes, constraints and rows to the schema `legacy`, where they stay as the backup.
 * Columns and tables that this deployment never had are added there, empty, so that the import reads one schema. Only
 * the owner has access.
 */
export async function moveAside(sql: Sql, { tables, otherMigrations }: DatabaseState & { kind: "conflicted" }) {
  await sql.query("create schema legacy");
  for (const table of tables) await sql.query(`alter table public."${table}" set schema legacy`);
  if (otherMigrations) await sql.query("alter table drizzle.__drizzle_migrations set schema legacy");
  for (const statement of COMPLETE) await sql.query(statement);
}

const COMPLETE = [
  `create table if not exists legacy.api_token (id text primary key, user_id text not null, name text not null, token_hash text not null,
    scopes text[] not null default '{}', last_used_at timestamptz, expires_at timestamptz, revoked_at timestamptz, created_at timestamptz not null)`,
  `alter table legacy.api_token add column if not exists permissions text, add column if not exists start text, add column if not exists prefix text,
    add column if not exists rate_limit_enabled boolean, add column if not exists rate_limit_max integer,
    add column if not exists rate_limit_time_window integer, add column if not exists request_count integer,
    add column if not exists remaining integer, add column if not exists refill_interval integer, add column if not exists refill_amount integer,
    add column if not exists last_refill_at timestamp, add column if not exists last_request timestamp, add column if not exists metadata text,
    add column if not exists enabled boolean, add column if not exists updated_at timestamp`,
  `create table if not exists legacy."apiKey" (id text primary key, name text, start text, prefix text, key text not null, user_id text not null,
    refill_interval integer, refill_amount integer, last_refill_at timestamp, enabled boolean, rate_limit_enabled boolean,
    rate_limit_time_window integer, rate_limit_max integer, request_count integer, remaining integer, last_request timestamp,
    expires_at timestamp, created_at timestamp not null, updated_at timestamp not null, permissions text, metadata text)`,
  `create table if not exists legacy.enhanced_api_keys (id text primary key, user_id text not null, name text not null, key_prefix varchar(12) not null,
    key_hash text not null, salt text not null, hash_algo text not null, scopes text[] not null default '{}', ip_whitelist cidr[],
    failed_attempts integer not null default 0, locked_until timestamptz, circuit_state text not null default 'closed',
    is_active boolean not null default true, expires_at timestamptz, last_used_at timestamptz, created_at timestamptz not null)`,
];

/**
 * Creates this gateway's schema in the caller's transaction, and the migration table of drizzle-orm's migrator, which
 * would otherwise use a transaction of its own.
 */
export async function makeSchema(sql: Sql, migrationsFolder: string): Promise<void> {
  await sql.query("create schema if not exists drizzle");
  await sql.query(
    "create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)",
  );
  for (const migration of readMigrationFiles({ migrationsFolder })) {
    for (const statement of migration.sql) await sql.query(statement);
    const row = [migration.hash, migration.folderMillis];
    await sql.query("insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)", row);
  }
}
