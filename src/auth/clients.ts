import { sql } from "drizzle-orm";
import type { Db } from "../platform/db.ts";

/** Sets the redirect URIs of a client that has just registered, in the order in which it gave them. */
export async function setRedirectUris(
  db: Pick<Db, "execute">,
  clientId: string,
  redirectUris: readonly string[],
): Promise<void> {
  await db.execute(
    sql`update oauth_client set redirect_uris = ${sql.param([...redirectUris])}::text[] where client_id = ${clientId}`,
  );
}
