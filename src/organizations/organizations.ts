import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import type { AuditDetail, AuditEventName, ChangedBy, KnownActor } from "../audit/event.ts";
import {
  activeSql,
  isOwnerRole,
  isPersonalTenantSql,
  managerRoleSql,
  mayManageRoleSql,
  ownerRoleSql,
  personalTenantId,
  roleSql,
  type Role,
} from "../identity/standing.ts";
import type { Db } from "../platform/postgres/db.ts";
import { isOpen } from "./invitation-state.ts";

/** Somebody in an organization. */
export interface OrganizationMember {
  userId: string;
  name: string;
  email: string;
  role: Role;
}

/** An invitation that has not been answered. */
export interface OpenInvitation {
  id: string;
  email: string;
  role: Role;
  expiresAt: Date;
}

/** An organization as one of its members sees it. */
export interface Organization {
  id: string;
  name: string;
  /** The role of the member who is viewing it. */
  role: Role;
  members: OrganizationMember[];
  /** Empty for members who may not invite. */
  invitations: OpenInvitation[];
}

/** Result of a change. `unknown`: there is no such member or invitation, or the actor is not in the organization. */
export type OrganizationChange = "done" | "unknown" | "not_allowed" | "last_owner";

const MAX_NAME = 100;
const MAX_ORGANIZATIONS = 20;
const OWNER: Role = "owner";

/** What is wrong with an organization's name, in words for the person; undefined when nothing is. */
export const organizationNameProblem = (name: string): string | undefined =>
  name === "" || name.length > MAX_NAME || /\p{Cc}/u.test(name)
    ? `Enter a name of at most ${MAX_NAME} characters.`
    : undefined;

/**
 * Creates an organization with one owner and returns its id. Returns undefined when the person owns
 * {@link MAX_ORGANIZATIONS} already; the lock on the user makes this hold for concurrent calls too.
 */
export async function createOrganization(
  db: Pick<Db, "execute" | "batch">,
  { actor, name, now }: { name: string } & ChangedBy<KnownActor>,
): Promise<string | undefined> {
  const { userId } = actor;
  const id = `org-${crypto.randomUUID()}`;
  const [, { rows }] = await db.batch([
    db.execute(sql`select 1 from "user" where id = ${userId} for no key update`),
    db.execute<{ id: string }>(sql`
    with owned as (
      select count(*) as organizations from member
      where user_id = ${userId} and ${ownerRoleSql(sql`role`)} and organization_id <> ${personalTenantId(userId)}
    ), created as (
      insert into organization (id, name, slug, created_at)
      select ${id}, ${name}, ${id}, now() at time zone 'utc' from owned where organizations < ${MAX_ORGANIZATIONS} returning id
    ), entry as (${changeEntry({ event: "organization.created", actor, now, from: sql`created`, tenant: sql`id`, target: sql`id` })})
    insert into member (id, organization_id, user_id, role, created_at)
    select ${memberId(id, userId)}, id, ${userId}, ${OWNER}, now() at time zone 'utc' from created returning organization_id as id`),
  ]);
  return rows[0]?.id;
}

/** The id of a membership. It is always the same, so joining twice at the same moment inserts one row. */
const memberId = (organizationId: string, userId: string) => `${organizationId}:${userId}`;

interface OrganizationRow extends Record<string, unknown> {
  name: string;
  role: Role;
  members: OrganizationMember[];
  invitations: { id: string; email: string; role: Role; expires: number }[];
}

/** An organization with its members, for a member; null for everybody else and for a personal organization. */
export async function findOrganization(
  db: Pick<Db, "execute">,
  userId: string,
  organizationId: string,
): Promise<Organization | null> {
  const { rows } = await db.execute<OrganizationRow>(sql`
    select o.name, ${roleSql(sql`me.role`)} as role,
      (select coalesce(json_agg(json_build_object('userId', u.id, 'name', u.name, 'email', u.email, 'role', ${roleSql(sql`m.role`)})
          order by m.created_at, u.id), '[]')
        from member m join "user" u on u.id = m.user_id where m.organization_id = o.id) as members,
      (select coalesce(json_agg(json_build_object('id', i.id, 'email', i.email, 'role', ${roleSql(sql`i.role`)},
          'expires', extract(epoch from i.expires_at)) order by i.created_at, i.id), '[]')
        from invitation i where i.organization_id = o.id and ${isOpen} and ${managerRoleSql(sql`me.role`)}) as invitations
    from organization o join member me on me.organization_id = o.id and me.user_id = ${userId}
    where o.id = ${organizationId} and not ${isPersonalTenantSql(sql`o.id`)}`);
  const [row] = rows;
  if (!row) return null;
  const invitations = row.invitations.map(({ expires, ...rest }) => ({ ...rest, expiresAt: new Date(expires * 1000) }));
  return { id: organizationId, name: row.name, role: row.role, members: row.members, invitations };
}

/** The member that a change is about, and who makes it. */
interface MemberChange extends ChangedBy<KnownActor> {
  organizationId: string;
  userId: string;
}

interface ChangeRow extends Record<string, unknown> {
  actor: Role | null;
  target: Role | null;
  owners: number;
  done: boolean;
}

/**
 * Gives a member another role. Owners may change every role; administrators may not change owners or make anybody an
 * owner. The last owner stays one. Changes of one organization are serialized: when two owners demote each other at the
 * same time, one owner remains.
 */
export function changeRole(
  db: Pick<Db, "execute" | "batch">,
  change: MemberChange & { role: Role },
): Promise<OrganizationChange> {
  const { role } = change;
  return settle(
    db,
    change,
    { event: "member.role_changed", detail: { role }, isChange: sql`target <> ${role}` },
    sql`update member set role = ${role} from standing s
      where member.organization_id = ${change.organizationId} and member.user_id = ${change.userId} and s.may
        and not (${ownerRoleSql(sql`s.target`)} and ${!isOwnerRole(role)}::boolean and s.owners = 1)
      returning 1`,
    sql`${mayManageRoleSql(sql`actor`, sql`target`)} and ${mayManageRoleSql(sql`actor`, sql`${role}`)}`,
  );
}

/**
 * Removes a member from an organization and withdraws pending invitations to their address. Anybody may leave, except
 * the last owner: somebody has to be able to invite others.
 */
export function removeMember(db: Pick<Db, "execute" | "batch">, change: MemberChange): Promise<OrganizationChange> {
  const isOwn = change.actor.userId === change.userId;
  return settle(
    db,
    change,
    { event: isOwn ? "member.left" : "member.removed", detail: {}, isChange: sql`true` },
    sql`delete from member using standing s
      where member.organization_id = ${change.organizationId} and member.user_id = ${change.userId} and s.may
        and not (${ownerRoleSql(sql`s.target`)} and s.owners = 1)
      returning 1
      ), withdrawn as (
        update invitation i set status = 'canceled' from "user" u
        where u.id = ${change.userId} and i.organization_id = ${change.organizationId} and lower(i.email) = lower(u.email)
          and i.status = 'pending' and exists (select 1 from written)`,
    sql`${isOwn}::boolean or ${mayManageRoleSql(sql`actor`, sql`target`)}`,
  );
}

async function settle(
  db: Pick<Db, "execute" | "batch">,
  { actor, now, organizationId, userId }: MemberChange,
  { isChange, ...what }: { event: AuditEventName; detail: AuditDetail; isChange: SQL },
  write: SQL,
  may: SQL,
): Promise<OrganizationChange> {
  // The lock is a statement of its own, so that the next statement sees what an earlier transaction has committed. It
  // locks the members, in the same order as the deletion of an account: a deleted owner is no longer counted.
  const [, { rows }] = await db.batch([
    db.execute(sql`
      select 1 from member where organization_id = ${organizationId} and not ${isPersonalTenantSql(sql`organization_id`)} order by id for update`),
    db.execute<ChangeRow>(sql`
      with roles as (
        select (select ${roleSql(sql`m.role`)} from member m join "user" u on u.id = m.user_id and ${activeSql("u")}
            where m.organization_id = o.id and m.user_id = ${actor.userId}) as actor,
          (select ${roleSql(sql`m.role`)} from member m where m.organization_id = o.id and m.user_id = ${userId}) as target,
          (select count(*)::int from member m where m.organization_id = o.id and ${ownerRoleSql(sql`m.role`)}) as owners
        from organization o where o.id = ${organizationId} and not ${isPersonalTenantSql(sql`o.id`)}
      ), standing as (
        select actor, target, owners, actor is not null and target is not null and (${may}) as may from roles
      ), written as (${write}
      ), entry as (${changeEntry({
        ...what,
        actor,
        now,
        from: sql`(select 1 from standing where ${isChange} and exists (select 1 from written))`,
        tenant: sql`${organizationId}::text`,
        target: sql`${userId}::text`,
      })})
      select actor, target, owners, exists (select 1 from written) as done from standing`),
  ]);
  const [row] = rows;
  if (!row || row.actor === null || row.target === null) return "unknown";
  if (row.done) return "done";
  return isOwnerRole(row.target) && row.owners === 1 && isOwnerRole(row.actor) ? "last_owner" : "not_allowed";
}

/**
 * The two inserts that give a user their personal organization and make them its owner, if that is not so yet. `tenant`
 * is the organization's id; `from` is an earlier part of the statement with the user's `id` and `name`.
 */
export const ensurePersonal = (tenant: string, from: SQL): { organization: SQL; owner: SQL } => ({
  organization: sql`
    insert into organization (id, name, slug, created_at)
    select ${tenant}, name, lower(${tenant}), now() from ${from} as owners on conflict do nothing`,
  owner: sql`
    insert into member (id, organization_id, user_id, role, created_at)
    select 'owner-' || id, ${tenant}, id, ${OWNER}, now() from ${from} as owners on conflict do nothing`,
});

/** Deletes organizations, given as a query of ids, with everything that depends on them. Returns the `id` of each. */
export const deleteOrganizations = (ids: SQL): SQL => sql`delete from organization where id in (${ids}) returning id`;
