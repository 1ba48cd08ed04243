import { and, eq, isNotNull, ne, sql } from "drizzle-orm";
import { changeEntry } from "../../audit/entry.ts";
import type { ChangedBy, KnownActor } from "../../audit/event.ts";
import { personalTenantId } from "../../identity/standing.ts";
import type { Db } from "../../platform/db.ts";
import { sha256 } from "../../platform/crypto.ts";
import * as schema from "../../identity/schema.ts";
import { currentTokenRequest } from "./token-request.ts";

/** A device that waits for a person to let it in. */
export interface WaitingDevice {
  clientId: string;
  /** As the client registered it: anybody can choose any name. */
  clientName: string | null;
  scopes: string[];
  resources: string[];
}

interface WaitingRow extends Record<string, unknown> {
  client_id: string;
  name: string | null;
  scope: string | null;
  resources: string[] | null;
}

const WAITS = sql`d.status = 'pending' and d.expires_at > now() at time zone 'utc'`;

/** The device that shows a user code, if the code is still good and nobody has decided about it. */
export async function waitingDevice(db: Pick<Db, "execute">, userCode: string): Promise<WaitingDevice | undefined> {
  const { rows } = await db.execute<WaitingRow>(sql`
    select c.client_id, c.name, d.scope, d.resources
    from device_code d join oauth_client c on c.client_id = d.oauth_client_id and c.disabled is not true
    where d.user_code = ${userCode} and ${WAITS}`);
  const [row] = rows;
  if (!row) return undefined;
  const { client_id: clientId, name: clientName, scope, resources } = row;
  return { clientId, clientName, scopes: scope?.split(" ") ?? [], resources: resources ?? [] };
}

/**
 * Lets a device in, for a person and under a reference (`consentReference`), unless somebody has decided before or the code has expired: then
 * false. One statement with the consent, by which the person sees the app among those connected and can disconnect it.
 */
export async function approveDevice(
  db: Pick<Db, "execute">,
  {
    userCode,
    tenantId,
    reference,
    actor,
    now,
  }: { userCode: string; tenantId: string; reference: string } & ChangedBy<KnownActor>,
): Promise<boolean> {
  const { userId } = actor;
  const { rows } = await db.execute(sql`
    with approved as (
      update device_code d set status = 'approved', user_id = ${userId}, reference_id = ${reference}
      where d.user_code = ${userCode} and ${WAITS}
      returning d.oauth_client_id as client_id, string_to_array(d.scope, ' ') as scopes, d.resources
    ), again as (
      update oauth_consent k set updated_at = now() at time zone 'utc',
        scopes = array(select distinct unnest(k.scopes || a.scopes)),
        resources = array(select distinct unnest(coalesce(k.resources, '{}') || coalesce(a.resources, '{}')))
      from approved a where k.user_id = ${userId} and k.client_id = a.client_id and k.reference_id = ${reference}
      returning k.id
    ), first as (
      insert into oauth_consent (id, client_id, user_id, reference_id, resources, scopes, created_at, updated_at)
      select ${crypto.randomUUID()}, client_id, ${userId}, ${reference}, resources, scopes,
        now() at time zone 'utc', now() at time zone 'utc'
      from approved where not exists (select 1 from again)
    ), entry as (${changeEntry({
      event: "consent.given",
      actor,
      now,
      from: sql`approved`,
      tenant: sql`${tenantId}::text`,
      target: sql`client_id`,
      detail: { sql: sql`jsonb_build_object('device', true, 'scopes', array_to_string(scopes, ' '))` },
    })})
    select 1 from approved`);
  return rows.length > 0;
}

/** Turns a device away; false when somebody has decided before or the code has expired. */
export async function denyDevice(
  db: Pick<Db, "execute">,
  { userCode, actor, now }: { userCode: string } & ChangedBy<KnownActor>,
): Promise<boolean> {
  const { rows } = await db.execute(sql`
    with denied as (
      update device_code d set status = 'denied', user_id = ${actor.userId} where d.user_code = ${userCode} and ${WAITS}
      returning d.oauth_client_id as client_id
    ), entry as (${changeEntry({
      event: "consent.denied",
      actor,
      now,
      from: sql`denied`,
      tenant: sql`${personalTenantId(actor.userId)}::text`,
      target: sql`client_id`,
      detail: { device: true },
    })})
    select 1 from denied`);
  return rows.length > 0;
}

/** A look-up of the framework for a polled code, which it keeps hashed here; null when there is none, or it was redeemed. */
export async function polledDevice(db: Pick<Db, "select">, deviceCode: string): Promise<object | null> {
  const { deviceCode: table, oauthClient, user } = schema;
  const [found] = await db
    .select({ device: table, client: oauthClient, user })
    .from(table)
    .leftJoin(oauthClient, eq(oauthClient.clientId, table.oauthClientId))
    .leftJoin(user, eq(user.id, table.userId))
    .where(and(eq(table.deviceCode, await sha256(deviceCode)), ne(table.status, REDEEMED)))
    .limit(1);
  if (!found) return null;
  const { device, client } = found;
  const rows = currentTokenRequest()?.rows;
  if (client) rows?.set(`oauthClient:${client.clientId}`, client);
  if (found.user) rows?.set(`user:${found.user.id}`, found.user);
  // Whoever let it in is gone.
  return device.status === "approved" && !found.user ? { ...device, status: "denied" } : device;
}

const REDEEMED = "redeemed";

/**
 * Redeems an approved device code: one winner. The row stays, so that a replay is known as one and a redemption that came to nothing can be
 * taken back by {@link releaseDeviceCode}. What was approved is noted with the token request, without which nothing is redeemed.
 */
export async function redeemDevice(db: Pick<Db, "update">, id: string, clientId: string): Promise<object | null> {
  const request = currentTokenRequest();
  if (request?.redemption === undefined) return null;
  const { deviceCode: table } = schema;
  const [device] = await db
    .update(table)
    .set({ status: REDEEMED, redemption: request.redemption, redeemedAt: sql`now() at time zone 'utc'` })
    .where(
      and(
        eq(table.id, id),
        eq(table.oauthClientId, clientId),
        eq(table.status, "approved"),
        isNotNull(table.referenceId),
      ),
    )
    .returning();
  if (!device || device.referenceId === null) return null;
  request.approval = { grantId: device.deviceCode, reference: device.referenceId };
  return device;
}

/** Gives a device code back that one redemption has taken for nothing. */
export async function releaseDeviceCode(
  db: Pick<Db, "execute">,
  deviceCode: string,
  redemption: string,
): Promise<void> {
  await db.execute(sql`
    update device_code set status = 'approved', redemption = null, redeemed_at = null
    where device_code = ${await sha256(deviceCode)} and redemption = ${redemption}`);
}

/** Longer than a redemption can take: within it, another presenter of the code is in a race, not replaying it. */
const REDEEMING_SECONDS = 10;

/** The grant of a device code that was redeemed some time ago; null for a code that was not. */
export async function grantOfRedeemedDevice(db: Pick<Db, "execute">, deviceCode: string): Promise<string | null> {
  const grantId = await sha256(deviceCode);
  const { rows } = await db.execute<{ replayed: boolean }>(sql`
    select coalesce(
      (select redeemed_at < now() at time zone 'utc' - make_interval(secs => ${REDEEMING_SECONDS})
        from device_code where device_code = ${grantId} and status = ${REDEEMED}),
      exists (select 1 from oauth_refresh_token where authorization_code_id = ${grantId})) as replayed`);
  return rows[0]?.replayed === true ? grantId : null;
}
