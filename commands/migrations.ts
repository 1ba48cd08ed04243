import { resolve } from "node:path";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import pg from "pg";

/** The folder of the SQL files and of drizzle-kit's journal. */
export const MIGRATIONS = resolve(import.meta.dirname, "../migrations");
/** Any fixed number: it makes two migrations of one database take turns. */
export const MIGRATION_LOCK = 748_159_203;

/** Applies the pending migrations over TCP as the owner, all in one transaction. A second call changes nothing. */
export async function applyMigrations(ownerUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: ownerUrl });
  await client.connect();
  try {
    await client.query("select pg_advisory_lock($1)", [MIGRATION_LOCK]);
    await migrate(drizzle(client), { migrationsFolder: MIGRATIONS });
  } finally {
    await client.end();
  }
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
