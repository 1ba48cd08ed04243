import { and, eq, isNotNull, sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../../audit/entry.ts";
import type { ChangedBy, KnownActor } from "../../audit/event.ts";
import { deviceCode } from "../../identity/schema.ts";
import { personalTenantId } from "../../identity/standing.ts";
import type { Scope } from "../../identity/scopes.ts";
import { sha256 } from "../../platform/crypto.ts";
import type { Db } from "../../platform/postgres/db.ts";

/** A device that waits for a person's decision. */
export interface WaitingDevice {
  clientId: string;
  /** The name that the client registered. Anybody can choose any name. */
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

const ADMIN_SCOPE: Scope = "admin";
/** The scopes that a device asked for, but `admin`. */
const WITHOUT_ADMIN = sql`array_to_string(array_remove(string_to_array(d.scope, ' '), ${ADMIN_SCOPE}::text), ' ')`;
const WAITS = sql`d.status = 'pending' and d.expires_at > now() at time zone 'utc'`;

/** The device that shows a user code, if the code is valid and nobody has decided about it. */
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
 * Approves a device for a person, under a reference (`consentReference`). False when somebody decided before or the
 * code has expired. Without `admin` that scope is left out; when it was the only one, nothing is approved. The same
 * statement writes the consent, which lists the app among the person's connected ones.
 */
export async function approveDevice(
  db: Pick<Db, "execute">,
  {
    userCode,
    tenantId,
    reference,
    admin,
    actor,
    now,
  }: { userCode: string; tenantId: string; reference: string; admin: boolean } & ChangedBy<KnownActor>,
): Promise<boolean> {
  const { userId } = actor;
  const { rows } = await db.execute(sql`
    with approved as (
      update device_code d set status = 'approved', user_id = ${userId}, reference_id = ${reference},
        scope = case when ${admin}::boolean then d.scope else ${WITHOUT_ADMIN} end
      where d.user_code = ${userCode} and ${WAITS} and (${admin}::boolean or ${WITHOUT_ADMIN} <> '')
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

/** Denies a device; false when somebody decided before or the code has expired. */
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

/** The status of a code whose grant has begun. */
export const REDEEMED = "redeemed";

/** A device code that a person approved, under a reference (`consentReference`). */
type ApprovedDevice = typeof deviceCode.$inferSelect & { referenceId: string };

/**
 * Redeems an approved device code. Of concurrent requests one gets it; the others get null. The row stays, so that a
 * replay is recognized and {@link releaseDeviceCode} can undo a redemption that failed.
 */
export async function redeemApproved(
  db: Pick<Db, "update">,
  { id, clientId, redemption }: { id: string; clientId: string; redemption: string },
): Promise<ApprovedDevice | null> {
  const [device] = await db
    .update(deviceCode)
    .set({ status: REDEEMED, redemption, redeemedAt: sql`now() at time zone 'utc'` })
    .where(
      and(
        eq(deviceCode.id, id),
        eq(deviceCode.oauthClientId, clientId),
        eq(deviceCode.status, "approved"),
        isNotNull(deviceCode.referenceId),
      ),
    )
    .returning();
  if (!device || device.referenceId === null) return null;
  return { ...device, referenceId: device.referenceId };
}

/** Restores a device code whose redemption failed. */
export async function releaseDeviceCode(db: Pick<Db, "execute">, code: string, redemption: string): Promise<void> {
  await db.execute(sql`
    update device_code set status = 'approved', redemption = null, redeemed_at = null
    where device_code = ${await sha256(code)} and redemption = ${redemption}`);
}

/**
 * Longer than a redemption can take. Within this time, another request with the code counts as a race, not as a replay.
 */
const REDEEMING_SECONDS = 10;

/** The grant of a device code that was redeemed some time ago; null for other codes. */
export async function grantOfRedeemedDevice(db: Pick<Db, "execute">, code: string): Promise<string | null> {
  const grantId = await sha256(code);
  const { rows } = await db.execute<{ replayed: boolean }>(sql`
    select coalesce(
      (select redeemed_at < now() at time zone 'utc' - make_interval(secs => ${REDEEMING_SECONDS})
        from device_code where device_code = ${grantId} and status = ${REDEEMED}),
      exists (select 1 from oauth_refresh_token where authorization_code_id = ${grantId})) as replayed`);
  return rows[0]?.replayed === true ? grantId : null;
}

/**
 * For how many days a code is kept after its expiry: a polling device is told that it expired, and a replay is
 * recognized.
 */
const KEEP_DAYS = 1;

/** Deletes at most `limit` codes that expired long ago. */
export const deleteOldDeviceCodes = (limit: number): SQL => sql`
  delete from device_code where id in (
    select id from device_code where expires_at < now() at time zone 'utc' - make_interval(days => ${KEEP_DAYS}) limit ${limit})`;
