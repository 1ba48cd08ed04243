import { sql } from "drizzle-orm";
import type { Db } from "../platform/db.ts";

/** Whether the owner of a token of the retired registry is still here and not banned: the token's own table does not say. */
export async function isWelcome(db: Pick<Db, "execute">, userId: string): Promise<boolean> {
  const { rows } = await db.execute(sql`
    select 1 from "user" where id = ${userId}
      and (banned is not true or coalesce(ban_expires < now() at time zone 'utc', false))`);
  return rows.length > 0;
}
