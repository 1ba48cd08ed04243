import { readMigrationFiles, type MigrationMeta } from "drizzle-orm/migrator";

/** One connection of the owner. Everything that the import does passes through it, one statement at a time. */
export interface Sql {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

/**
 * Where a database stands. `foreign`: none of the old tables. `conflicted`: what the import takes, with the tables of `public` that it moves
 * aside and whether another product's list of migrations goes with them. `imported`: done before.
 */
export type DatabaseState =
  | { kind: "foreign" }
  | { kind: "imported" }
  | { kind: "conflicted"; tables: string[]; otherMigrations: boolean };

const OLD_TABLES = ["api_token", "apiKey", "enhanced_api_keys"];

/** Finds out where the database stands; changes nothing. Throws, with what to do, when it is in a state that nobody foresaw. */
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
      `The tables ${old.join(", ")} stand beside an applied schema of this gateway: import into a database of its own, or move them away`,
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

/** The tables that the migrations make: whatever has such a name in `public` is in their way. */
const createdTables = (migrations: readonly MigrationMeta[]) =>
  migrations.flatMap(({ sql }) => sql).flatMap((statement) => /^\s*CREATE TABLE "(\w+)"/i.exec(statement)?.[1] ?? []);
