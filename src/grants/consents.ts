import { sql, type SQL } from "drizzle-orm";
import { actsInSql } from "../identity/standing.ts";
import type { Db } from "../platform/postgres/db.ts";
import { tenantOfReference } from "./consent-reference.ts";

/** The grant that the redemption of an authorization code begins. */
export interface BeginningGrant {
  /** The hash of the code. */
  grantId: string;
  userId: string;
  clientId: string;
  /** What the consent is kept under; see `consentReference`. */
  reference: string;
  scopes: readonly string[];
  /** The client needs no consent: an administrator has said so. */
  trusted: boolean;
  /** How long the first access token lives. */
  seconds: number;
}

/** The id under which the first access token of a grant is noted: the token itself is a JWT and kept nowhere. */
export const grantNote = (grantId: string): string => `grant:${grantId}`;

/** Longer than the access token lives, for verifiers whose clocks are behind. */
const CLOCK_SECONDS = 60;

/** Why a code gives nothing, or null when its grant has begun. */
export type GrantProblem = "no_consent" | "no_member" | null;

/**
 * Begins a grant if what the person consented to still stands and they may act in its tenant. The access token is noted in the same
 * statement, which holds the consent: whoever withdraws it afterwards finds the grant, also when it has no refresh token.
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

/** A refresh token is kept for a while after its end: the replay of a stolen one must still be recognised. */
const KEEP_REFRESH_DAYS = 7;

/** Deletes at most `limit` access tokens that have expired. */
export const deleteExpiredAccessTokens = (limit: number): SQL => sql`
  delete from oauth_access_token where id in (
    select id from oauth_access_token where expires_at < now() at time zone 'utc' limit ${limit})`;

/** Deletes at most `limit` refresh tokens that are long over. */
export const deleteOldRefreshTokens = (limit: number): SQL => sql`
  delete from oauth_refresh_token where id in (
    select id from oauth_refresh_token where expires_at < now() at time zone 'utc' - make_interval(days => ${KEEP_REFRESH_DAYS}) limit ${limit})`;
