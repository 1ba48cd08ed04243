import { sql } from "drizzle-orm";
import type { Db } from "../platform/db.ts";

const BATCH = 500;
/** A refresh token is kept for a while after its end: the replay of a stolen one must still be recognised. */
const KEEP_REFRESH_DAYS = 7;
/** So long a device that polls on hears that its code has expired, and a replayed code is known as one. */
const KEEP_DEVICE_DAYS = 1;
/** A client that a stranger registered, or that came by its metadata document, and that nobody has ever allowed anything. */
const KEEP_UNUSED_DAYS = 30;

/** Deletes what Better Auth leaves behind when it expires, clients that were never used, old invitations and counts of tries, in bounded batches, in one statement. */
export async function pruneExpired(db: Pick<Db, "execute">): Promise<void> {
  await db.execute(sql`
    with sessions as (
      delete from session where id in (select id from session where expires_at < now() at time zone 'utc' limit ${BATCH})
    ), access_tokens as (
      delete from oauth_access_token where id in (select id from oauth_access_token where expires_at < now() at time zone 'utc' limit ${BATCH})
    ), devices as (
      delete from device_code where id in (
        select id from device_code where expires_at < now() at time zone 'utc' - make_interval(days => ${KEEP_DEVICE_DAYS}) limit ${BATCH})
    ), assertions as (
      delete from oauth_client_assertion where id in (select id from oauth_client_assertion where expires_at < now() at time zone 'utc' limit ${BATCH})
    ), unused as (
      delete from oauth_client where id in (
        select c.id from oauth_client c
        where c.created_at < now() at time zone 'utc' - make_interval(days => ${KEEP_UNUSED_DAYS})
          and coalesce(c.updated_at, c.created_at) < now() at time zone 'utc' - make_interval(days => ${KEEP_UNUSED_DAYS})
          and c.metadata -> 'managed' is null
          and not exists (select 1 from oauth_consent o where o.client_id = c.client_id)
          and not exists (select 1 from oauth_refresh_token t where t.client_id = c.client_id)
          and not exists (select 1 from oauth_access_token t where t.client_id = c.client_id)
        limit ${BATCH})
    ), invitations as (
      delete from invitation where id in (
        select id from invitation where expires_at < now() at time zone 'utc' - make_interval(days => ${KEEP_UNUSED_DAYS}) limit ${BATCH})
    ), tries as (
      delete from try_count where bucket in (select bucket from try_count where until < now() limit ${BATCH})
    )
    delete from oauth_refresh_token where id in (
      select id from oauth_refresh_token where expires_at < now() at time zone 'utc' - make_interval(days => ${KEEP_REFRESH_DAYS}) limit ${BATCH})`);
}
