import { sql, type SQL } from "drizzle-orm";
import type { Db } from "../../platform/postgres/db.ts";
import { redisKeys } from "../../platform/redis/redis.ts";
import { countTry, type TryDeps } from "../../limits/tries.ts";

/** Stores the redirect URIs of a client that has just registered, in the order in which it sent them. */
export async function setRedirectUris(
  db: Pick<Db, "execute">,
  clientId: string,
  redirectUris: readonly string[],
): Promise<void> {
  await db.execute(
    sql`update oauth_client set redirect_uris = ${sql.param([...redirectUris])}::text[] where client_id = ${clientId}`,
  );
}

/**
 * Whether a client may get `offline_access`: it has the refresh grant, and the scope is among those it may request. A
 * client whose metadata document has not been read yet may.
 */
export async function mayStayConnected(db: Pick<Db, "execute">, clientId: string): Promise<boolean> {
  const { rows } = await db.execute<{ may: boolean }>(sql`
    select 'refresh_token' = any(grant_types) and coalesce('offline_access' = any(scopes), true) as may
    from oauth_client where client_id = ${clientId}`);
  return rows[0]?.may ?? namesDocument(clientId);
}

/** Whether a client id is the address of a metadata document: such a client needs no registration. */
export const namesDocument = (clientId: string): boolean => clientId.startsWith("https:");

/** Whether there is a client of this id, disabled or not. */
export async function isKnownClient(db: Pick<Db, "execute">, clientId: string): Promise<boolean> {
  const { rows } = await db.execute(sql`select 1 from oauth_client where client_id = ${clientId}`);
  return rows.length > 0;
}

/**
 * How many clients unauthenticated callers may register in a day, in all. Far above normal use; it bounds what a flood
 * can store.
 */
const REGISTRATIONS_A_DAY = 5_000;
const DAY_SECONDS = 86_400;

/**
 * Counts a registration of an unauthenticated caller; false when the day's limit is passed. One Redis request; `now` is
 * in epoch milliseconds.
 */
export async function mayRegister(deps: TryDeps, now: number): Promise<boolean> {
  const day = Math.floor(now / 1000 / DAY_SECONDS);
  const { count } = await countTry(deps, redisKeys.registrations(day), DAY_SECONDS);
  return count <= REGISTRATIONS_A_DAY;
}

/**
 * For how many days a client is kept that registered itself, or came by its metadata document, and was never granted
 * anything.
 */
const KEEP_UNUSED_DAYS = 30;

/** Deletes at most `limit` clients that were never used. */
export const deleteUnusedClients = (limit: number): SQL => sql`
  delete from oauth_client where id in (
    select c.id from oauth_client c
    where c.created_at < now() at time zone 'utc' - make_interval(days => ${KEEP_UNUSED_DAYS})
      and coalesce(c.updated_at, c.created_at) < now() at time zone 'utc' - make_interval(days => ${KEEP_UNUSED_DAYS})
      and c.metadata -> 'managed' is null
      and not exists (select 1 from oauth_consent o where o.client_id = c.client_id)
      and not exists (select 1 from oauth_refresh_token t where t.client_id = c.client_id)
      and not exists (select 1 from oauth_access_token t where t.client_id = c.client_id)
    limit ${limit})`;

/** Deletes at most `limit` client assertions that have expired. */
export const deleteExpiredAssertions = (limit: number): SQL => sql`
  delete from oauth_client_assertion where id in (
    select id from oauth_client_assertion where expires_at < now() at time zone 'utc' limit ${limit})`;
