import { sql } from "drizzle-orm";
import type { Db } from "../platform/db.ts";

const BATCH = 500;
/** A refresh token is kept for a while after its end: the replay of a stolen one must still be recognised. */
const KEEP_REFRESH_DAYS = 7;

/** Deletes what Better Auth leaves behind when it expires, in bounded batches, in one statement. */
export async function pruneExpired(db: Pick<Db, "execute">): Promise<void> {
  await db.execute(sql`
    with sessions as (
      delete from session where id in (select id from session where expires_at < now() at time zone 'utc' limit ${BATCH})
    ), access_tokens as (
      delete from oauth_access_token where id in (select id from oauth_access_token where expires_at < now() at time zone 'utc' limit ${BATCH})
    ), assertions as (
      delete from oauth_client_assertion where id in (select id from oauth_client_assertion where expires_at < now() at time zone 'utc' limit ${BATCH})
    )
    delete from oauth_refresh_token where id in (
      select id from oauth_refresh_token where expires_at < now() at time zone 'utc' - make_interval(days => ${KEEP_REFRESH_DAYS}) limit ${BATCH})`);
}
