import { readMigrationFiles, type MigrationMeta } from "drizzle-orm/migrator";

/** The owner's connection, on which the import runs all statements, one at a time. */
export interface Sql {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/**
 * The state of a database. `foreign`: it has none of the old tables. `conflicted`: it can be imported; with the tables
 * of `public` to move, and whether another product's migration table is moved too. `imported`: it was imported before.
 */
export type DatabaseState =
  | { kind: "foreign" }
  | { kind: "imported" }
  | { kind: "conflicted"; tables: string[]; otherMigrations: boolean };

const OLD_TABLES = ["api_token", "apiKey", "enhanced_api_keys"];

/** Determines the state of a database; changes nothing. Throws, with what to do, for an unexpected state. */
export async function readState(sql: Sql, migrationsFolder: string): Promise<DatabaseState> {
  const migrations = readMigrationFiles({ migrationsFolder });
  const { rows } = await sql.query(
    `select n.nspname as schema, c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p') and n.nspname in ('public', 'legacy', 'drizzle') order by 1, 2`,
  );
  const tablesOf = (schema: string) =>
    (rows as { schema: string; name: string }[]).filter((row) => row.schema === schema).map(({ name }) => name);
  const inPublic = tablesOf("public");
  const inLegacy = tablesOf("legacy");
  if (inLegacy.includes("import_run")) return { kind: "imported" };

  const listed = tablesOf("drizzle").includes("__drizzle_migrations");
  const applied = listed ? await appliedHashes(sql) : [];
  const ours = new Set(migrations.map(({ hash }) => hash));
  const isOurs = applied.some((hash) => ours.has(hash));
  const old = inPublic.filter((name) => OLD_TABLES.includes(name) && !(isOurs && name === "api_token"));
  if (old.length === 0) return { kind: "foreign" };
  if (isOurs)
    throw new Error(
      `The tables ${old.join(", ")} are in a database that already has this gateway's schema: import into a separate database, or move them away`,
    );
  if (inLegacy.length > 0) throw new Error("The schema legacy is in use by something else: rename it first");
  if (!inPublic.includes("user"))
    throw new Error('The table "user" is missing: keys without owners cannot be imported');
  const taken = new Set([...OLD_TABLES, ...createdTables(migrations)]);
  return { kind: "conflicted", tables: inPublic.filter((name) => taken.has(name)), otherMigrations: listed };
}

async function appliedHashes(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query("select hash from drizzle.__drizzle_migrations");
  return (rows as { hash: string }[]).map(({ hash }) => hash);
}

/** The tables that the migrations create. Tables in `public` with these names are in the way. */
const createdTables = (migrations: readonly MigrationMeta[]) =>
  migrations.flatMap(({ sql }) => sql).flatMap((statement) => /^\s*CREATE TABLE "(\w+)"/i.exec(statement)?.[1] ?? []);
