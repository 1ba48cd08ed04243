import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import type { ChangedBy, KnownActor } from "../audit/event.ts";
import {
  activeSql,
  isPersonalTenantSql,
  managesSql,
  mayManageRoleSql,
  roleSql,
  type Role,
} from "../identity/standing.ts";
import { randomToken, sha256 } from "../platform/crypto.ts";
import type { Db } from "../platform/postgres/db.ts";
import { isOpen } from "./invitation-state.ts";
import { linkMail, type Mail } from "../platform/mail.ts";
import type { OrganizationChange } from "./organizations.ts";

/** An invitation as the person with the link sees it. */
export interface Invitation {
  organizationName: string;
  inviterName: string;
  role: Role;
}

const VALID_DAYS = 7;
/** Invitations that an organization may send per day. */
const A_DAY = 20;
/** Invitation emails to one address per day, from all organizations together. */
const MAILS_A_DAY = 3;

/**
 * Invites an address (lower case) to an organization. The new invitation replaces an open one to the same address. The
 * token is in the result and in the email only; the row has its hash. A null token means that no email may be sent to
 * this address today: an open invitation then keeps its link and gets the new role and expiry. Locks on the
 * organization and on the address serialize invitations, so that the bounds hold.
 */
export async function invite(
  db: Pick<Db, "execute" | "batch">,
  asked: { organizationId: string; email: string; role: Role } & ChangedBy<KnownActor>,
): Promise<{ state: "invited"; token: string | null } | { state: "unknown" | "not_allowed" | "too_many" }> {
  const { actor, now, organizationId, email, role } = asked;
  const { userId } = actor;
  const token = randomToken(32);
  const expiry = sql`now() at time zone 'utc' + make_interval(days => ${VALID_DAYS})`;
  const [, , { rows }] = await db.batch([
    db.execute(sql`select 1 from organization where id = ${organizationId} for no key update`),
    db.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`invitation:${email}`}, 0))`),
    db.execute<InviteRow>(sql`
      with asked as (
        select o.id, m.role from organization o join member m on m.organization_id = o.id and m.user_id = ${userId}
          join "user" u on u.id = m.user_id and ${activeSql("u")}
        where o.id = ${organizationId} and not ${isPersonalTenantSql(sql`o.id`)}
      ), recent as (
        select count(*) filter (where organization_id = ${organizationId})::int as by_organization,
          count(*) filter (where email = ${email})::int as to_address
        from invitation
        where created_at > now() at time zone 'utc' - interval '1 day' and (organization_id = ${organizationId} or email = ${email})
      ), standing as (
        select asked.*, by_organization, ${mayManageRoleSql(sql`asked.role`, sql`${role}`)} as may,
          to_address < ${MAILS_A_DAY} as mailed
        from asked, recent
      ), earlier as (
        update invitation i set status = case when mailed then 'canceled' else status end,
          role = ${role}, expires_at = ${expiry}, inviter_id = ${userId}
        from standing
        where may and by_organization < ${A_DAY} and organization_id = ${organizationId} and email = ${email} and status = 'pending'
          and (mailed or ${isOpen})
        returning i.id
      ), made as (
        insert into invitation (id, organization_id, email, role, status, expires_at, created_at, inviter_id)
        select ${await sha256(token)}, id, ${email}, ${role}, 'pending', ${expiry}, now() at time zone 'utc', ${userId}
        from standing where may and by_organization < ${A_DAY} and (mailed or not exists (select 1 from earlier))
        returning id
      ), entry as (${changeEntry({
        event: "invitation.sent",
        actor,
        now,
        from: sql`(select coalesce((select id from made), (select max(id) from earlier)) as id from standing
          where exists (select 1 from made) or exists (select 1 from earlier))`,
        tenant: sql`${organizationId}::text`,
        target: sql`id`,
        detail: { role },
      })})
      select may, mailed, by_organization from standing`),
  ]);
  const [row] = rows;
  if (!row) return { state: "unknown" };
  if (!row.may) return { state: "not_allowed" };
  if (row.by_organization >= A_DAY) return { state: "too_many" };
  return { state: "invited", token: row.mailed ? token : null };
}

interface InviteRow extends Record<string, unknown> {
  may: boolean;
  mailed: boolean;
  by_organization: number;
}

/** Withdraws an open invitation of an organization. */
export async function cancelInvitation(
  db: Pick<Db, "execute">,
  { actor, now, organizationId, id }: { organizationId: string; id: string } & ChangedBy<KnownActor>,
): Promise<OrganizationChange> {
  const { rows } = await db.execute(sql`
    with withdrawn as (
      update invitation i set status = 'canceled'
      where i.id = ${id} and i.organization_id = ${organizationId} and i.status = 'pending'
        and ${managesSql({ tenantId: organizationId, userId: actor.userId })} returning i.organization_id as tenant_id, i.id as target
    ), entry as (${changeEntry({ event: "invitation.withdrawn", actor, now, from: sql`withdrawn` })})
    select 1 from withdrawn`);
  return rows.length > 0 ? "done" : "unknown";
}

/** The open invitation of a link, or null. Anybody with the link may see it: it was sent to them. */
export async function findInvitation(db: Pick<Db, "execute">, token: string): Promise<Invitation | null> {
  const { rows } = await db.execute<Invitation & Record<string, unknown>>(sql`
    select o.name as "organizationName", u.name as "inviterName", ${roleSql(sql`i.role`)} as role
    from invitation i join organization o on o.id = i.organization_id join "user" u on u.id = i.inviter_id
    where i.id = ${await sha256(token)} and ${isOpen}`);
  return rows[0] ?? null;
}

/**
 * Accepts or declines an invitation, for the person whose verified address was invited. One statement, so that a link
 * is used once. Returns the organization; null when there is no such open invitation, or it was sent to another
 * address.
 */
export async function answerInvitation(
  db: Pick<Db, "execute">,
  { token, accept, actor, now }: { token: string; accept: boolean } & ChangedBy<KnownActor>,
): Promise<{ organizationId: string } | null> {
  const { userId } = actor;
  const { rows } = await db.execute<{ id: string }>(sql`
    with answered as (
      update invitation i set status = ${accept ? "accepted" : "rejected"} from "user" u
      where i.id = ${await sha256(token)} and ${isOpen}
        and u.id = ${userId} and u.email_verified and lower(u.email) = lower(i.email)
      returning i.id, i.organization_id, ${roleSql(sql`i.role`)} as role
    ), joined as (
      insert into member (id, organization_id, user_id, role, created_at)
      select organization_id || ':' || ${userId}, organization_id, ${userId}, role, now() at time zone 'utc' from answered
      where ${accept}::boolean and not exists (
        select 1 from member m where m.organization_id = answered.organization_id and m.user_id = ${userId})
      on conflict do nothing
    ), entry as (${changeEntry({
      event: accept ? "invitation.accepted" : "invitation.declined",
      actor,
      now,
      from: sql`answered`,
      tenant: sql`organization_id`,
      target: sql`id`,
      detail: { sql: sql`jsonb_build_object('role', role)` },
    })})
    select organization_id as id from answered`);
  const [row] = rows;
  return row ? { organizationId: row.id } : null;
}

/** Whether there is an open invitation to an address. Where sign-up is by invitation, it may then create an account. */
export async function isInvited(db: Pick<Db, "execute">, email: string): Promise<boolean> {
  const { rows } = await db.execute(
    sql`select 1 from invitation i where lower(i.email) = ${email.toLowerCase()} and ${isOpen} limit 1`,
  );
  return rows.length > 0;
}

/** The email names neither the organization nor the inviter: people choose these texts, so only the page shows them. */
export function invitationMail(origin: string, to: string, token: string): Mail {
  return linkMail({
    to,
    subject: "You have been invited to an organization",
    intro: `You have been invited to an organization on ${new URL(origin).host}. The page of the invitation names the organization and the person who invited you.`,
    action: "View invitation",
    url: `${origin}/invite/${token}`,
    outro: "The link is valid for seven days. If you don't expect an invitation, ignore this email.",
  });
}

/** How long an invitation is kept after it has expired. */
const KEEP_DAYS = 30;

/** Deletes at most `limit` invitations that expired more than {@link KEEP_DAYS} days ago. */
export const deleteOldInvitations = (limit: number): SQL => sql`
  delete from invitation where id in (
    select id from invitation where expires_at < now() at time zone 'utc' - make_interval(days => ${KEEP_DAYS}) limit ${limit})`;
