import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import type { AuditDetail, ChangedBy, KnownActor } from "../audit/event.ts";
import { consentReference, REFERENCE_HASH, tenantOfReference } from "./consent-reference.ts";
import type { Db } from "../platform/postgres/db.ts";
import type { Redis } from "../platform/redis/redis.ts";
import { stopGrants } from "./pause.ts";
import { endedGrant } from "./schema.ts";

/** An app that acts for a person: what one consent allows one client in one tenant with one redirect URI. */
export interface ConnectedApp {
  clientId: string;
  /** The reference of the consent. Together with the client it identifies the connection. */
  reference: string;
  /** The name that the app registered. Anybody can choose any name. */
  name: string | null;
  tenantId: string;
  tenantName: string | null;
  /** The redirect URI of the consent; undefined when the app has it no longer registered. */
  redirectUri: string | undefined;
  scopes: readonly string[];
  resources: readonly string[];
  firstConnected: Date;
  /** When it last got a refresh token; null when it has no valid one. */
  lastUsed: Date | null;
  /** Grants with valid refresh tokens: one for each sign-in of the app on each machine. */
  liveGrants: number;
}

const MAX_APPS = 200;
/** A repeated disconnect marks grants again that ended within the lifetime of an access token plus this time. */
const REPEAT_SECONDS = 60;

interface Row extends Record<string, unknown> {
  client_id: string;
  reference_id: string;
  name: string | null;
  redirect_uris: string[];
  tenant_name: string | null;
  scopes: string[];
  resources: string[] | null;
  first_connected: string;
  last_used: string | null;
  live_grants: number;
}

/** The apps that a person has connected, most recently used first. */
export async function connectedApps(db: Pick<Db, "execute">, userId: string): Promise<ConnectedApp[]> {
  const { rows } = await db.execute<Row>(sql`
    with consent as (
      select distinct on (client_id, reference_id) client_id, reference_id, scopes, resources, created_at
      from oauth_consent where user_id = ${userId} and reference_id is not null
      order by client_id, reference_id, updated_at desc
    ), live as (
      select client_id, reference_id, count(distinct authorization_code_id)::int as grants, max(created_at) as last_used
      from oauth_refresh_token t
      where user_id = ${userId} and revoked is null and expires_at > now() at time zone 'utc'
        and not exists (select 1 from ${endedGrant} e where e.grant_id = t.authorization_code_id)
      group by client_id, reference_id
    )
    select k.client_id, k.reference_id, c.name, c.redirect_uris, o.name as tenant_name, k.scopes, k.resources,
      k.created_at as first_connected, live.last_used, coalesce(live.grants, 0) as live_grants
    from consent k join oauth_client c on c.client_id = k.client_id
      left join live on live.client_id = k.client_id and live.reference_id = k.reference_id
      left join organization o on o.id = regexp_replace(k.reference_id, ${REFERENCE_HASH}, '')
    order by coalesce(live.last_used, k.created_at) desc, k.client_id, k.reference_id limit ${MAX_APPS}`);
  return Promise.all(
    rows.map(async (row) => ({
      clientId: row.client_id,
      reference: row.reference_id,
      name: row.name,
      tenantId: tenantOfReference(row.reference_id),
      tenantName: row.tenant_name,
      redirectUri: await redirectOf(row.reference_id, row.redirect_uris),
      scopes: row.scopes,
      resources: row.resources ?? [],
      firstConnected: new Date(`${row.first_connected}Z`),
      lastUsed: row.last_used === null ? null : new Date(`${row.last_used}Z`),
      liveGrants: row.live_grants,
    })),
  );
}

/** The redirect URI of a consent, if the client still has it. The reference has only its hash. */
async function redirectOf(reference: string, registered: readonly string[]): Promise<string | undefined> {
  const tenant = tenantOfReference(reference);
  for (const uri of registered) if ((await consentReference(tenant, uri)) === reference) return uri;
  return undefined;
}

export interface DisconnectDeps {
  db: Pick<Db, "execute" | "batch">;
  redis: Pick<Redis, "eval">;
  /** The lifetime of an access token, in seconds. */
  accessTokenSeconds: number;
}

/** What to disconnect: all that a client may do for the actor, or what one consent allows. */
export interface Connection {
  clientId: string;
  reference?: string;
}

/**
 * Withdraws what a person allowed an app: deletes consents and revokes refresh tokens and opaque tokens in Postgres,
 * then stops access tokens by marks in Redis. None of them works when this resolves. If Postgres fails, nothing has
 * changed. If Redis fails, the grants stay recorded as ended, and repeating the call sets the marks. Tokens that are
 * being issued meanwhile are refused: a code needs the consent, a refresh needs a grant that has not ended.
 */
export function disconnect(
  deps: DisconnectDeps,
  { clientId, reference }: Connection,
  by: ChangedBy<KnownActor>,
): Promise<void> {
  const { userId } = by.actor;
  const one = reference === undefined ? sql`true` : sql`reference_id = ${reference}`;
  return endWhere(deps, sql`user_id = ${userId} and client_id = ${clientId} and ${one}`, { ...by, detail: {} });
}

/** Withdraws, in the same way, what a person who left a tenant allowed apps to do in it. */
export function leaveTenant(
  deps: DisconnectDeps,
  { userId, tenantId }: { userId: string; tenantId: string },
  by: ChangedBy,
): Promise<void> {
  const inTenant = sql`regexp_replace(reference_id, ${REFERENCE_HASH}, '') = ${tenantId}`;
  return endWhere(deps, sql`user_id = ${userId} and ${inTenant}`, {
    ...by,
    detail: { reason: "left", person: userId },
  });
}

async function endWhere(
  { db, redis, accessTokenSeconds }: DisconnectDeps,
  theirs: SQL,
  by: ChangedBy & { detail: AuditDetail },
): Promise<void> {
  const good = sql`authorization_code_id is not null and expires_at > now() at time zone 'utc'`;
  const grants = sql`
    select authorization_code_id from oauth_refresh_token where ${theirs} and ${good}
    union select authorization_code_id from oauth_access_token where ${theirs} and ${good}`;
  // One transaction. The first statement waits for codes being redeemed under these consents; the second sees their
  // grants.
  const [, , , { rows }] = await db.batch([
    db.execute(sql`
      with consents as (
        delete from oauth_consent where ${theirs}
        returning client_id, regexp_replace(reference_id, ${REFERENCE_HASH}, '') as tenant_id
      ) ${changeEntry({ event: "app.disconnected", ...by, from: sql`(select distinct client_id as target, tenant_id from consents)` })}`),
    db.execute(sql`insert into ${endedGrant} (grant_id, ended_at)
      select authorization_code_id, now() from (${grants}) as theirs order by 1 on conflict do nothing`),
    db.execute(sql`
      with refresh_tokens as (
        update oauth_refresh_token set revoked = now() at time zone 'utc' where ${theirs} and revoked is null
      )
      update oauth_access_token set revoked = now() at time zone 'utc' where ${theirs} and revoked is null`),
    db.execute<{ grant_id: string }>(sql`
      select grant_id from ${endedGrant} where grant_id in (${grants})
        and ended_at > now() - make_interval(secs => ${accessTokenSeconds + REPEAT_SECONDS})`),
  ]);
  await stopGrants(
    { redis, accessTokenSeconds },
    rows.map(({ grant_id: id }) => id),
  );
}
