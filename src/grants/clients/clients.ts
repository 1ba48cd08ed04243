import { sql } from "drizzle-orm";
import type { Db } from "../../platform/db.ts";
import { redisKeys } from "../../platform/redis.ts";
import { countTry, type TryDeps } from "../../limits/tries.ts";

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

/**
 * Whether a client may stay connected: it has the refresh grant, and `offline_access` is among what it may ask for. A client that is not
 * known yet, because its metadata document has not been read, may.
 */
export async function mayStayConnected(db: Pick<Db, "execute">, clientId: string): Promise<boolean> {
  const { rows } = await db.execute<{ may: boolean }>(sql`
    select 'refresh_token' = any(grant_types) and coalesce('offline_access' = any(scopes), true) as may
    from oauth_client where client_id = ${clientId}`);
  return rows[0]?.may ?? clientId.startsWith("https:");
}

/** Clients that strangers may register in a day, all together: far above what people do, and a bound on what a flood leaves behind. */
const REGISTRATIONS_A_DAY = 5_000;
const DAY_SECONDS = 86_400;

/** Counts a registration of a stranger, and says whether it may go on. One Redis request; `now` is in epoch milliseconds. */
export async function mayRegister(deps: TryDeps, now: number): Promise<boolean> {
  const day = Math.floor(now / 1000 / DAY_SECONDS);
  const { count } = await countTry(deps, redisKeys.registrations(day), DAY_SECONDS);
  return count <= REGISTRATIONS_A_DAY;
}
