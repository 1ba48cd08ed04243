import { sql, type SQL } from "drizzle-orm";
import { actsInSql } from "../identity/standing.ts";
import type { Db } from "../platform/postgres/db.ts";
import { tenantOfReference } from "./consent-reference.ts";

/** The grant that begins when an authorization code is redeemed. */
export interface BeginningGrant {
  /** The hash of the code. */
  grantId: string;
  userId: string;
  clientId: string;
  /** The reference of the consent; see `consentReference`. */
  reference: string;
  scopes: readonly string[];
  /** An administrator decided that the client needs no consent. */
  trusted: boolean;
  /** The lifetime of the first access token, in seconds. */
  seconds: number;
}

/** The row id that records the first access token of a grant. The token itself is a JWT and is not stored. */
export const grantNote = (grantId: string): string => `grant:${grantId}`;

/** Seconds beyond the access token's lifetime, for verifiers whose clocks are behind. */
const CLOCK_SECONDS = 60;

/** Why a code gives no tokens; null when its grant has begun. */
export type GrantProblem = "no_consent" | "no_member" | null;

/**
 * Begins a grant if the consent still exists and the person may act in its tenant. The same statement locks the consent
 * and records the access token, so that a later withdrawal finds the grant even when it has no refresh token.
 */
export async function beginGrant(db: Pick<Db, "execute">, grant: BeginningGrant): Promise<GrantProblem> {
  const { grantId, userId, clientId, reference, scopes, trusted, seconds } = grant;
  const tenant = tenantOfReference(reference);
  const note = grantNote(grantId);
  const { rows } = await db.execute<{ consented: boolean; member: boolean }>(sql`
    with consent as materialized (
      select id from oauth_consent
      where user_id = ${userId} and client_id = ${clientId} and reference_id = ${reference} for key share
    ), standing as (
      select ${trusted}::boolean or exists (select 1 from consent) as consented,
        ${actsInSql({ tenantId: tenant, userId })} as member
    ), noted as (
      insert into oauth_access_token
        (id, token, client_id, user_id, reference_id, authorization_code_id, scopes, created_at, expires_at)
      select ${note}, ${note}, ${clientId}, ${userId}, ${reference}, ${grantId}, ${sql.param([...scopes])}::text[],
        now() at time zone 'utc', now() at time zone 'utc' + make_interval(secs => ${seconds + CLOCK_SECONDS})
      from standing where consented and member on conflict do nothing
    )
    select consented, member from standing`);
  const [standing] = rows;
  if (standing?.consented !== true) return "no_consent";
  return standing.member ? null : "no_member";
}

/** For how many days a refresh token is kept after its expiry: a replayed one must still be recognized. */
const KEEP_REFRESH_DAYS = 7;

/** Deletes at most `limit` access tokens that have expired. */
export const deleteExpiredAccessTokens = (limit: number): SQL => sql`
  delete from oauth_access_token where id in (
    select id from oauth_access_token where expires_at < now() at time zone 'utc' limit ${limit})`;

/** Deletes at most `limit` refresh tokens that expired long ago. */
export const deleteOldRefreshTokens = (limit: number): SQL => sql`
  delete from oauth_refresh_token where id in (
    select id from oauth_refresh_token where expires_at < now() at time zone 'utc' - make_interval(days => ${KEEP_REFRESH_DAYS}) limit ${limit})`;
