import { sql } from "drizzle-orm";
import { sha256 } from "../platform/crypto.ts";
import type { Db } from "../platform/db.ts";
import { redisKeys, type Redis } from "../platform/redis.ts";

/** A grant is what one consent gave one client: the unit of revocation. Its id is the hash of the authorization code it began with. */
export interface GrantDeps {
  db: Pick<Db, "execute">;
  redis: Pick<Redis, "set" | "exists">;
  /** How long an access token can live, in seconds: so long must a revoked grant be remembered. */
  accessTokenSeconds: number;
}

const CLOCK_SECONDS = 60;

/** Ends a grant: its refresh tokens in Postgres, and by a mark in Redis its access tokens. Both are done when this resolves. */
export async function endGrant({ db, redis, accessTokenSeconds }: GrantDeps, grantId: string): Promise<void> {
  await db.execute(sql`select end_grant(${grantId})`);
  await stopAccessTokens({ redis, accessTokenSeconds }, grantId);
}

/** Refuses the access tokens of a grant from now on. */
async function stopAccessTokens(
  { redis, accessTokenSeconds }: Pick<GrantDeps, "redis" | "accessTokenSeconds">,
  grantId: string,
): Promise<void> {
  await redis.set(redisKeys.endedGrant(grantId), "1", { ex: accessTokenSeconds + CLOCK_SECONDS });
}

/**
 * An authorization code was refused: if it has been redeemed before, somebody else has it, and what it gave out ends (RFC 6749 §4.1.2).
 * Refresh tokens are the framework's to delete; nobody can tell a used code from an invented one, so that a guess costs a mark, too.
 */
export async function endGrantOfCode(
  deps: Pick<GrantDeps, "redis" | "accessTokenSeconds">,
  code: string,
): Promise<void> {
  await stopAccessTokens(deps, await sha256(code));
}

/** Whether the grant of an access token has ended. One Redis request; an error of Redis is the caller's 503, never a pass. */
export async function hasEnded({ redis }: Pick<GrantDeps, "redis">, grantId: string): Promise<boolean> {
  return (await redis.exists(redisKeys.endedGrant(grantId))) === 1;
}

/** The grant that a refresh token of this client belongs to, or null when the client has no such token. */
export async function grantOfRefreshToken(
  { db }: Pick<GrantDeps, "db">,
  token: string,
  clientId: string,
): Promise<string | null> {
  const { rows } = await db.execute<{ grant_id: string | null }>(sql`
    select authorization_code_id as grant_id from oauth_refresh_token
    where token = ${await sha256(token)} and client_id = ${clientId}`);
  return rows[0]?.grant_id ?? null;
}
