import { sql } from "drizzle-orm";
import type { Db } from "../platform/db.ts";

/**
 * Whether somebody administers this gateway now. A credential's scope says that they did when it was made; asked of the write database,
 * because a replica may lag behind a demotion.
 */
export async function isAdministrator(db: Pick<Db, "execute">, userId: string): Promise<boolean> {
  const { rows } = await db.execute(
    sql`select 1 from "user" where id = ${userId} and role = 'admin' and banned is not true`,
  );
  return rows.length > 0;
}
