import { sql } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import type { Actor } from "../audit/event.ts";
import { personalTenantId, systemRole, systemRoleSql, type Role } from "./standing.ts";
import type { Db } from "../platform/db.ts";

/** A tenant that somebody may act in. */
export interface Membership {
  tenantId: string;
  /** As its members chose it. */
  name: string;
  personal: boolean;
}

/** The tenants of which somebody is a member: the personal one first, then by name. The personal one is always there, as for `actsIn`. */
export async function membershipsOf(db: Pick<Db, "execute">, userId: string): Promise<Membership[]> {
  const { rows } = await db.execute<{ id: string; name: string }>(sql`
    select o.id, o.name from member m join organization o on o.id = m.organization_id
    where m.user_id = ${userId} order by o.name, o.id limit 200`);
  const own = personalTenantId(userId);
  const personal = { tenantId: own, name: rows.find(({ id }) => id === own)?.name ?? "", personal: true };
  const teams = rows.filter(({ id }) => id !== own);
  return [personal, ...teams.map(({ id, name }) => ({ tenantId: id, name, personal: false }))];
}

const OWNER: Role = "owner";

/** What the audit log is told when a tenant is ensured because an account was opened, or somebody signs in. */
export interface ArrivalEntry {
  event: "account.created" | "account.signed_in";
  actor: Actor;
  /** `password`, or the id of a provider. */
  method: string;
  /** Epoch milliseconds. */
  now: number;
}

/**
 * Creates the user's personal tenant and ownership unless they exist, and aligns the administrator role with `adminEmails`
 * (lower case; verified addresses only). One statement, repeated at each sign-in: a crash after sign-up leaves nobody without a tenant.
 * The audit entry, if there is one, is written by the same statement.
 */
export async function ensurePersonalTenant(
  db: Pick<Db, "execute">,
  userId: string,
  adminEmails: readonly string[],
  entry?: ArrivalEntry,
): Promise<string> {
  const tenant = personalTenantId(userId);
  await db.execute(sql`
    with account as (
      select id, name, ${systemRoleSql(sql`email_verified and lower(email) = any(${sql.param([...adminEmails])}::text[])`)} as role
      from "user" where id = ${userId}
    ), tenant as (
      insert into organization (id, name, slug, created_at)
      select ${tenant}, name, lower(${tenant}), now() from account on conflict do nothing
    ), owner as (
      insert into member (id, organization_id, user_id, role, created_at)
      select 'owner-' || id, ${tenant}, id, ${OWNER}, now() from account on conflict do nothing
    )${entry ? sql`, recorded as (${arrival(entry, tenant)})` : sql``}
    update "user" set role = account.role from account
    where "user".id = account.id and coalesce("user".role, ${systemRole(false)}) is distinct from account.role`);
  return tenant;
}

const arrival = ({ event, actor, method, now }: ArrivalEntry, tenant: string) =>
  changeEntry({
    event,
    actor,
    now,
    from: sql`account`,
    tenant: sql`${tenant}`,
    target: sql`id`,
    detail: { method },
  });
