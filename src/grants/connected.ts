import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import type { AuditDetail, ChangedBy, KnownActor } from "../audit/event.ts";
import { consentReference, REFERENCE_HASH, tenantOfReference } from "./consent-reference.ts";
import type { Db } from "../platform/postgres/db.ts";
import type { Redis } from "../platform/redis/redis.ts";
import { stopGrants } from "./pause.ts";
import { endedGrant } from "./schema.ts";

/** An app that acts for a person: what one consent lets one client do, in one tenant and at one redirect URI. */
export interface ConnectedApp {
  clientId: string;
  /** What the consent is kept under; with the client it names the connection. */
  reference: string;
  /** As the app registered it: anybody can choose any name. */
  name: string | null;
  tenantId: string;
  tenantName: string | null;
  /** Where its codes go, while the app still has that redirect URI registered. */
  redirectUri: string | undefined;
  scopes: readonly string[];
  resources: readonly string[];
  firstConnected: Date;
  /** When it last got tokens to stay connected with; null when it has none that are good. */
  lastUsed: Date | null;
  /** Grants with such tokens: one for each login of the app on each machine. */
  liveGrants: number;
}

const MAX_APPS = 200;
/** A repeated disconnect marks again what ended no longer ago than an access token lives and this. */
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

/** The apps that somebody has connected, the one used last first. */
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

/** The redirect URI that a consent was given for, if the client still has it: the reference holds its hash only. */
async function redirectOf(reference: string, registered: readonly string[]): Promise<string | undefined> {
  const tenant = tenantOfReference(reference);
  for (const uri of registered) if ((await consentReference(tenant, uri)) === reference) return uri;
  return undefined;
}

export interface DisconnectDeps {
  db: Pick<Db, "execute" | "batch">;
  redis: Pick<Redis, "eval">;
  /** How long an access token can live, in seconds. */
  accessTokenSeconds: number;
}

/** What to disconnect: everything that a client may do for the actor, or what one consent lets it do. */
export interface Connection {
  clientId: string;
  reference?: string;
}

/**
 * Takes back what a person has let an app do: its consents, refresh tokens and opaque tokens in Postgres, then its access tokens by marks in
 * Redis. Nothing of it works when this resolves. When Postgres fails nothing has changed. When Redis fails the grants stay noted as ended, and
 * the same call marks them again. What is being issued meanwhile is caught: a code needs the consent, a refresh a grant that has not ended.
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

/** Takes back what a person has let apps do in a tenant, in the same way: they have left it. */
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
  // One transaction. The first statement waits for codes that are being redeemed under these consents; the second sees their grants.
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
