import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import type { ChangedBy } from "../audit/event.ts";
import { REFERENCE_HASH } from "./consent-reference.ts";
import { grantNote } from "./consents.ts";
import { sha256 } from "../platform/crypto.ts";
import type { Db } from "../platform/postgres/db.ts";
import { redisKeys, type Redis } from "../platform/redis/redis.ts";
import { endedGrant } from "./schema.ts";

/**
 * A grant is what one consent gave one client: the unit of revocation. Its id is the hash of its authorization code.
 */
export interface GrantDeps {
  db: Pick<Db, "execute">;
  redis: Pick<Redis, "set" | "exists">;
  /** The lifetime of an access token, in seconds. A revoked grant must be remembered for this time. */
  accessTokenSeconds: number;
}

const CLOCK_SECONDS = 60;

/** Why a grant ends early, for the audit log. */
export interface GrantEnd extends ChangedBy {
  event: "grant.ended" | "token.revoked";
  reason: "device_code_replayed" | "refresh_token_replayed" | "revoked_by_client";
}

/**
 * Ends a grant: its refresh tokens in Postgres, its access tokens by a mark in Redis. Both are done when this resolves.
 * With `end`, the same statement writes the audit entry, unless the grant had ended before.
 */
export async function endGrant(
  { db, redis, accessTokenSeconds }: GrantDeps,
  grantId: string,
  end?: GrantEnd,
): Promise<void> {
  await db.execute(
    end
      ? sql`with entry as (${endEntry(end, sql`(select ${grantId}::text as id)`)}) select end_grant(${grantId})`
      : sql`select end_grant(${grantId})`,
  );
  await stopAccessTokens({ redis, accessTokenSeconds }, grantId);
}

/**
 * The audit entry of the end of a grant. `grant` is a query in parentheses that returns its `id`. No entry when it had
 * ended before.
 */
export const endEntry = ({ event, reason, actor, now }: GrantEnd, grant: SQL): SQL =>
  changeEntry({
    event,
    actor,
    now,
    from: sql`(
      select t.client_id as target, regexp_replace(t.reference_id, ${REFERENCE_HASH}, '') as tenant_id, t.user_id, g.id
      from ${grant} as g join (
        select authorization_code_id, client_id, reference_id, user_id from oauth_refresh_token
        union all select authorization_code_id, client_id, reference_id, user_id from oauth_access_token
      ) t on t.authorization_code_id = g.id
      where not exists (select 1 from ${endedGrant} e where e.grant_id = g.id) limit 1)`,
    detail: {
      sql: sql`jsonb_strip_nulls(jsonb_build_object('reason', ${reason}::text, 'grant', id, 'person', user_id))`,
    },
  });

/** Refuses the access tokens of a grant from now on. */
async function stopAccessTokens(
  { redis, accessTokenSeconds }: Pick<GrantDeps, "redis" | "accessTokenSeconds">,
  grantId: string,
): Promise<void> {
  await redis.set(redisKeys.endedGrant(grantId), "1", { ex: accessTokenSeconds + CLOCK_SECONDS });
}

/** The grant that a code began, with what its audit entry needs. */
export interface BegunGrant {
  grantId: string;
  clientId: string;
  userId: string | null;
  tenantId: string | null;
}

/**
 * The grant that a code began, by the record of its first access token; null when the code was never redeemed. One
 * statement.
 */
export async function grantOfCode(db: Pick<Db, "execute">, code: string): Promise<BegunGrant | null> {
  const grantId = await sha256(code);
  const { rows } = await db.execute<{ client_id: string; user_id: string | null; tenant_id: string | null }>(sql`
    select client_id, user_id, regexp_replace(reference_id, ${REFERENCE_HASH}, '') as tenant_id
    from oauth_access_token where id = ${grantNote(grantId)}`);
  const [row] = rows;
  return row ? { grantId, clientId: row.client_id, userId: row.user_id, tenantId: row.tenant_id } : null;
}

/**
 * For an authorization code that was refused. If the code was redeemed before, somebody else has it, so its grant ends
 * (RFC 6749 §4.1.2). The framework has already deleted the refresh tokens. Redis cannot tell a used code from an
 * invented one, so a guessed code is marked, too. `begun` is the earlier result of {@link grantOfCode}; if it is set,
 * the end is recorded in the audit log.
 */
export async function endGrantOfCode(
  { db, redis, accessTokenSeconds }: Pick<GrantDeps, "db" | "redis" | "accessTokenSeconds">,
  code: string,
  begun: BegunGrant | null,
  by: ChangedBy,
): Promise<void> {
  await stopAccessTokens({ redis, accessTokenSeconds }, await sha256(code));
  if (!begun) return;
  const { grantId, clientId, userId, tenantId } = begun;
  await db.execute(
    changeEntry({
      event: "grant.ended",
      ...by,
      from: sql`(select ${tenantId}::text as tenant_id, ${clientId}::text as target)`,
      detail: { reason: "code_replayed", grant: grantId, ...(userId !== null && { person: userId }) },
    }),
  );
}

/**
 * Whether the grant of an access token has ended. One Redis request. An error of Redis is thrown: the caller answers
 * 503.
 */
export async function hasEnded({ redis }: Pick<GrantDeps, "redis">, grantId: string): Promise<boolean> {
  return (await redis.exists(redisKeys.endedGrant(grantId))) === 1;
}

/** The grant of a refresh token of this client; null when the client has no such token. */
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
