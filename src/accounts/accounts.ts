import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import type { ChangedBy } from "../audit/event.ts";
import { personalTenantId, systemRole, systemRoleSql } from "../identity/standing.ts";
import type { Db } from "../platform/postgres/db.ts";
import type { Scope } from "../identity/scopes.ts";

/** The part of an account that is needed to check or change its password and its email address. */
export interface Account {
  id: string;
  email: string;
  verified: boolean;
  /** The stored hash; null when the person signs in with other providers only. */
  password: string | null;
}

const NOW = sql`now() at time zone 'utc'`;

/** Finds an account by its id or by its email address (lower case). One statement. */
export async function findAccount(
  db: Pick<Db, "execute">,
  by: { id: string } | { email: string },
): Promise<Account | undefined> {
  const condition = "id" in by ? sql`u.id = ${by.id}` : sql`u.email = ${by.email}`;
  const { rows } = await db.execute<Account & Record<string, unknown>>(sql`
    select u.id, u.email, u.email_verified as verified,
      (select a.password from account a where a.user_id = u.id and a.provider_id = 'credential' and a.account_id = u.id limit 1) as password
    from "user" u where ${condition}`);
  return rows[0];
}

/**
 * Sets a new password, if the account still has the password and the address that were read, and ends its sessions. One
 * statement, so that only one of several concurrent changes succeeds. A reset also marks the address as verified,
 * because the person came through a link in an email. Returns false when another change was faster.
 */
export async function replacePassword(
  db: Pick<Db, "execute">,
  { id, email, password }: Account,
  to: string,
  { event, actor, now }: ChangedBy & { event: "account.password_changed" | "account.password_reset" },
): Promise<boolean> {
  const tenant = sql`${personalTenantId(id)}`;
  const entry = { actor, now, tenant, target: sql`id` };
  const { rows } = await db.execute<{ done: boolean }>(sql`
    with holder as (
      select id from "user" where id = ${id} and email = ${email} for update
    ), changed as (
      update account set password = ${to}, updated_at = ${NOW} from holder
      where account.user_id = holder.id and provider_id = 'credential' and account_id = holder.id and password is not distinct from ${password}
      returning holder.id
    ), made as (
      insert into account (id, account_id, provider_id, user_id, password, created_at, updated_at)
      select 'credential-' || id, id, 'credential', id, ${to}, ${NOW}, ${NOW} from holder
      where ${password}::text is null and not exists (select 1 from account where user_id = ${id} and provider_id = 'credential')
      on conflict do nothing returning user_id
    ), done as (
      select id from changed union all select user_id from made
    ), proved as (
      update "user" set email_verified = true, updated_at = ${NOW}
      where ${event === "account.password_reset"}::boolean and not email_verified and id in (select id from done) returning id
    ), ended as (
      delete from session where user_id in (select id from done) returning id
    ), recorded as (
      ${changeEntry({ ...entry, event, from: sql`done`, detail: { sql: ENDED_SESSIONS } })}
    ), recorded_proof as (
      ${changeEntry({ ...entry, event: "account.email_verified", from: sql`proved`, detail: { method: "reset" } })}
    )
    select exists (select 1 from done) as done`);
  return rows[0]?.done === true;
}

/**
 * Query of the account that is signing up or signing in, with the role for its verified address: `id`, `name`, `role`.
 */
export const arrivingAccount = (userId: string, adminEmails: readonly string[]): SQL => sql`
  select id, name, ${systemRoleSql(sql`email_verified and lower(email) = any(${sql.param([...adminEmails])}::text[])`)} as role
  from "user" where id = ${userId}`;

/** Updates accounts to the role that an earlier part of the statement (`from`, with `id` and `role`) has for them. */
export const alignRole = (from: SQL): SQL => sql`
  update "user" set role = aligned.role from ${from} as aligned
  where "user".id = aligned.id and coalesce("user".role, ${systemRole(false)}) is distinct from aligned.role`;

const ADMIN_SCOPE: Scope = "admin";

/** Audit detail: the number of sessions that a statement has deleted in its part named `ended`. */
const ENDED_SESSIONS = sql`jsonb_build_object('sessions_ended', (select count(*) from ended))`;

/** What has to be revoked after a change of address. */
export interface AddressChange {
  /** Ids of the grants with the scope `admin`, if the person is no longer an administrator; else empty. */
  grants: string[];
}

/**
 * Changes the address of an account to one that its owner has proved, sets the administrator role that belongs to it,
 * and ends all sessions, because their rights came with the old address. One statement. Returns undefined when the
 * account has changed meanwhile, "taken" when another account has the address.
 */
export async function replaceAddress(
  db: Pick<Db, "execute">,
  { id, email, password }: Account,
  to: string,
  adminEmails: readonly string[],
  { actor, now }: ChangedBy,
): Promise<AddressChange | "taken" | undefined> {
  const administers = adminEmails.includes(to);
  const entry = changeEntry({
    event: "account.email_changed",
    actor,
    now,
    from: sql`changed`,
    tenant: sql`${personalTenantId(id)}`,
    target: sql`id`,
    detail: { sql: ENDED_SESSIONS },
  });
  try {
    const { rows } = await db.execute<{ done: boolean; grants: string[] }>(sql`
      with changed as (
        update "user" u set email = ${to}, email_verified = true, role = ${systemRole(administers)}, updated_at = ${NOW}
        where u.id = ${id} and u.email = ${email} and ${password} is not distinct from (
          select a.password from account a where a.user_id = u.id and a.provider_id = 'credential' and a.account_id = u.id limit 1)
        returning u.id
      ), ended as (
        delete from session where user_id in (select id from changed) returning id
      ), recorded as (
        ${entry}
      )
      select exists (select 1 from changed) as done,
        ${listOf(sql`${liveGrants(sql`select id from changed where not ${administers}::boolean`)} and ${ADMIN_SCOPE} = any(scopes)`)} as grants`);
    const [row] = rows;
    return row?.done === true ? { grants: row.grants } : undefined;
  } catch (error) {
    if (isUniqueViolation(error)) return "taken";
    throw error;
  }
}

/** Query of the grants of these users whose tokens may still work. The caller can add a condition on `scopes`. */
export const liveGrants = (users: SQL) => sql`
  select distinct grant_id from (
    select user_id, authorization_code_id as grant_id, scopes from oauth_refresh_token where revoked is null
    union all
    select user_id, authorization_code_id, scopes from oauth_access_token where expires_at > ${NOW}
  ) live where grant_id is not null and user_id in (${users})
    and not exists (select 1 from ended_grant e where e.grant_id = live.grant_id)`;

/** A query of one column as a JSON list, empty when there is no row. */
export const listOf = (query: SQL) => sql`coalesce((select json_agg(one) from (${query}) as listed(one)), '[]'::json)`;

function isUniqueViolation(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ((cause as { code?: unknown }).code === "23505") return true;
  }
  return false;
}
