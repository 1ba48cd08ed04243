import { resolve } from "node:path";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";

/** The folder of the SQL files and of drizzle-kit's journal. */
export const MIGRATIONS = resolve(import.meta.dirname, "../migrations");
/** An arbitrary fixed number for the lock that serializes migrations of a database. */
export const MIGRATION_LOCK = 748_159_203;

/**
 * The result of migrating. `migrated`: the database has all `total` migrations, and had the first `before` of them.
 * `unknown`: it has migrations, given by their hashes, whose files are not in {@link MIGRATIONS}; nothing was changed.
 */
export type MigrationOutcome =
  | { kind: "migrated"; before: number; total: number }
  | { kind: "unknown"; hashes: string[] };

/** Applies the pending migrations over TCP as the owner, all in one transaction. A second call changes nothing. */
export async function applyMigrations(ownerUrl: string): Promise<MigrationOutcome> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [MIGRATION_LOCK]);
    const known = readMigrationFiles({ migrationsFolder: MIGRATIONS }).map(({ hash }) => hash);
    const applied = await appliedHashes(client);
    const hashes = applied.filter((hash) => !known.includes(hash));
    if (hashes.length > 0) return { kind: "unknown", hashes };
    await migrate(drizzle(client), { migrationsFolder: MIGRATIONS });
    return { kind: "migrated", before: applied.length, total: known.length };
  } finally {
    await client.end();
  }
}

/** The SHA-256 of each applied migration file, in order, as listed by drizzle-orm's migrator. */
async function appliedHashes(client: pg.Client): Promise<string[]> {
  const list = await client.query("select 1 where to_regclass('drizzle.__drizzle_migrations') is not null");
  if (list.rowCount === 0) return [];
  const { rows } = await client.query<{ hash: string }>("select hash from drizzle.__drizzle_migrations order by id");
  return rows.map(({ hash }) => hash);
}

/** Sets the password of the Worker's role, on Neon and in the local stack. */
export async function setRolePassword(ownerUrl: string, role: "mrg_app" | "mrg_read", password: string): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await client.query(`alter role ${role} login password ${client.escapeLiteral(password)}`);
  } finally {
    await client.end();
  }
}
