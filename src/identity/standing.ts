import { sql, type SQL } from "drizzle-orm";
import type { Db } from "../platform/postgres/db.ts";

// The only place that says who is active, who manages an organization, who administers the gateway, and how a personal
// organization is named. Each rule exists twice: for values that were already read, and as a fragment of SQL (`…Sql`)
// for statements. The view `api_key_check` and the triggers on `apikey` and `member` have copies in SQL; see
// docs/decisions.md.

/**
 * A text in SQL: a value, which becomes a parameter, or a column, qualified by its table because fragments contain
 * subqueries.
 */
type Text = string | SQL;

const text = (value: Text): SQL => (typeof value === "string" ? sql`${value}::text` : value);

// Bans

/** Role and ban of a new account. */
export const NEW_USER_STANDING = { role: "user", banned: false, banReason: null, banExpires: null };

/**
 * Whether a person may act: not banned, or the ban has ended. `person` is a user as Better Auth reads or serializes
 * one; `now` is in epoch milliseconds. At the end time itself the ban still holds, as in Better Auth. A ban whose end
 * cannot be read does not end.
 */
export function isActive(person: Readonly<Record<string, unknown>>, now: number): boolean {
  if (person["banned"] !== true) return true;
  const end = person["banExpires"];
  return (end instanceof Date || typeof end === "string" || typeof end === "number") && new Date(end).getTime() < now;
}

/** {@link isActive} for a row of "user" by its alias, by the clock of Postgres. True for a missing row. */
export function activeSql(user: string): SQL {
  const { banned, expires } = { banned: sql.raw(`${user}.banned`), expires: sql.raw(`${user}.ban_expires`) };
  return sql`(${banned} is not true or coalesce(${expires} < now() at time zone 'utc', false))`;
}

/** Whether the person exists and is active. */
export const activeUserSql = (userId: Text): SQL =>
  sql`exists (select 1 from "user" person where person.id = ${text(userId)} and ${activeSql("person")})`;

/** Whether the person exists and is active. One statement. */
export async function isActiveUser(db: Pick<Db, "execute">, userId: string): Promise<boolean> {
  const { rows } = await db.execute(sql`select 1 where ${activeUserSql(userId)}`);
  return rows.length > 0;
}

// Administrators of the gateway

/** The role of an account. A single value, never a list: each sign-in writes it anew. */
export const systemRole = (administers: boolean): "admin" | "user" => (administers ? "admin" : "user");

/** Whether an account with this role administers the gateway, as long as it is active. */
export const isAdministratorRole = (role: unknown): boolean => role === systemRole(true);

/** {@link systemRole} for a condition in SQL. */
export const systemRoleSql = (administers: SQL): SQL => sql`case when ${administers} then 'admin' else 'user' end`;

/** {@link isAdministratorRole} for the column `role` of "user". False for a missing row. */
export const administratorRoleSql = (role: SQL): SQL => sql`coalesce(${role} = 'admin', false)`;

/** Whether a person is active and administers the gateway. */
export const administersSql = (userId: Text): SQL => sql`exists (
  select 1 from "user" person where person.id = ${text(userId)} and ${administratorRoleSql(sql`person.role`)} and ${activeSql("person")})`;

/**
 * Whether a person administers this gateway now. The scope of a credential says only that they did when it was created.
 * Use the write database, because a replica may lag behind a demotion. One statement.
 */
export async function isAdministrator(db: Pick<Db, "execute">, userId: string): Promise<boolean> {
  const { rows } = await db.execute(sql`select 1 where ${administersSql(userId)}`);
  return rows.length > 0;
}

// Roles in an organization

/** Roles in an organization, highest first. */
export const ROLES = ["owner", "admin", "member"] as const;
export type Role = (typeof ROLES)[number];
export const isRole = (value: string): value is Role => ROLES.some((role) => role === value);

/** The role to give when none is named. */
export const LEAST_ROLE: Role = "member";

export const isOwnerRole = (role: Role): boolean => role === "owner";

/** Whether a member with this role manages the organization. */
export const isManagerRole = (role: Role): boolean => role === "owner" || role === "admin";

/**
 * Whether a member with the role `actor` may give the role `other`, and change or remove members who have it. Owners
 * may for every role, administrators for all but owner.
 */
export const mayManageRole = (actor: Role, other: Role): boolean =>
  isOwnerRole(actor) || (isManagerRole(actor) && !isOwnerRole(other));

/**
 * The roles in a column. Better Auth may store several, separated by commas; the highest counts. We write one. Null has
 * none.
 */
const rolesIn = (role: SQL): SQL => sql`string_to_array(replace(coalesce(${role}, ''), ' ', ''), ',')`;

/** The highest role in a column; the lowest when it has no known one. */
export const roleSql = (role: SQL): SQL =>
  sql`case when ${ownerRoleSql(role)} then 'owner' when ${managerRoleSql(role)} then 'admin' else 'member' end`;

/** {@link isOwnerRole} for a column; false for null. */
export const ownerRoleSql = (role: SQL): SQL => sql`('owner' = any (${rolesIn(role)}))`;

/** {@link isManagerRole} for a column; false for null. */
export const managerRoleSql = (role: SQL): SQL => sql`(${rolesIn(role)} && array['owner', 'admin'])`;

/** {@link mayManageRole} for columns. */
export const mayManageRoleSql = (actor: SQL, other: SQL): SQL =>
  sql`(${ownerRoleSql(actor)} or (${managerRoleSql(actor)} and not ${ownerRoleSql(other)}))`;

// Organizations

const PERSONAL = "personal-";

/** The id of a person's personal organization. It follows from the user id, so that creating it twice is harmless. */
export const personalTenantId = (userId: string): string => `${PERSONAL}${userId}`;

/** Whether an organization is a personal one. */
export const isPersonalTenant = (tenantId: string): boolean => tenantId.startsWith(PERSONAL);

/** {@link personalTenantId} for a column. */
export const personalTenantSql = (userId: SQL): SQL => sql`('personal-' || ${userId})`;

/** {@link isPersonalTenant} for a column. */
export const isPersonalTenantSql = (tenantId: SQL): SQL => sql`(${tenantId} like 'personal-%')`;

interface InTenant {
  tenantId: Text;
  userId: Text;
}

const isOwnTenantSql = ({ tenantId, userId }: InTenant): SQL => {
  if (typeof userId !== "string") return sql`${text(tenantId)} = ${personalTenantSql(userId)}`;
  const own = personalTenantId(userId);
  return typeof tenantId === "string" ? sql`${tenantId === own}::boolean` : sql`${tenantId} = ${own}`;
};

const memberSql = ({ tenantId, userId }: InTenant): SQL =>
  sql`select 1 from member joined where joined.organization_id = ${text(tenantId)} and joined.user_id = ${text(userId)}`;

/** Whether a person may act in an organization by membership: it is their personal one, or they are a member. */
export const actsInSql = (of: InTenant): SQL => sql`(${isOwnTenantSql(of)} or exists (${memberSql(of)}))`;

/**
 * Whether a person is active and manages an organization: it is their personal one, or they are an owner or
 * administrator of it.
 */
export const managesSql = (of: InTenant): SQL => sql`(${activeUserSql(of.userId)} and (
  ${isOwnTenantSql(of)} or exists (${memberSql(of)} and ${managerRoleSql(sql`joined.role`)})))`;

/** {@link actsInSql} as a query. No statement for the personal organization, otherwise one. */
export async function actsIn(db: Pick<Db, "execute">, userId: string, tenantId: string): Promise<boolean> {
  if (tenantId === personalTenantId(userId)) return true;
  const { rows } = await db.execute(memberSql({ tenantId, userId }));
  return rows.length > 0;
}

/** {@link managesSql} as a query. One statement. */
export async function managesTenant(
  db: Pick<Db, "execute">,
  { tenantId, userId }: { tenantId: string; userId: string },
): Promise<boolean> {
  const { rows } = await db.execute(sql`select 1 where ${managesSql({ tenantId, userId })}`);
  return rows.length > 0;
}
