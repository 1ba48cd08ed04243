import { resolve } from "node:path";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";

/** The folder of the SQL files and of drizzle-kit's journal. */
export const MIGRATIONS = resolve(import.meta.dirname, "../migrations");
/** Any fixed number: it makes two migrations of one database take turns. */
export const MIGRATION_LOCK = 748_159_203;

/**
 * What became of a database. `migrated`: it has all `total` migrations now, and had the first `before` of them. `unknown`: somebody applied
 * migrations whose files are not in {@link MIGRATIONS}, by their hashes; nothing was changed.
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

/** SHA-256 of each migration file that was applied, in order, as drizzle-orm's migrator lists them. */
async function appliedHashes(client: pg.Client): Promise<string[]> {
  const list = await client.query("select 1 where to_regclass('drizzle.__drizzle_migrations') is not null");
  if (list.rowCount === 0) return [];
  const { rows } = await client.query<{ hash: string }>("select hash from drizzle.__drizzle_migrations order by id");
  return rows.map(({ hash }) => hash);
}

/** Lets the Worker's role log in with this password; Neon and the local stack alike. */
export async function setRolePassword(ownerUrl: string, role: "mrg_app" | "mrg_read", password: string): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await client.query(`alter role ${role} login password ${client.escapeLiteral(password)}`);
  } finally {
    await client.end();
  }
}
