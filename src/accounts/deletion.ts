import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import type { ChangedBy } from "../audit/event.ts";
import { isPersonalTenantSql, ownerRoleSql, personalTenantId, personalTenantSql } from "../identity/standing.ts";
import type { Db } from "../platform/postgres/db.ts";
import { listOf, liveGrants } from "./accounts.ts";

/** What the deletion of an account has to end outside its row, and what prevents the deletion. */
export interface AccountHoldings {
  keyHashes: string[];
  grantIds: string[];
  /** Names of the organizations with other members of which it is the only owner. Any of them prevents the deletion. */
  orphans: string[];
}

/** SQL of other folders, to be part of the statement that deletes an account. Each takes a query of ids. */
export interface AccountEnds {
  /** Deletes the keys of these users; returns their hashes as `key`. */
  deleteKeys: (users: SQL) => SQL;
  deleteOrganizations: (ids: SQL) => SQL;
}

/** Reads what would end with an account, and what prevents its deletion. One statement. */
export async function holdingsOf(db: Pick<Db, "execute">, userId: string): Promise<AccountHoldings> {
  const { rows } = await db.execute<AccountHoldings & Record<string, unknown>>(sql`
    with members as (
      select * from member where organization_id in (select organization_id from member where user_id = ${userId})
    )
    select ${listOf(sql`select key from apikey where reference_id = ${userId} and config_id = 'default'`)} as "keyHashes",
      ${listOf(liveGrants(sql`${userId}`))} as "grantIds", ${listOf(orphansOf(userId))} as orphans`);
  return rows[0] ?? { keyHashes: [], grantIds: [], orphans: [] };
}

/**
 * Deletes an account and everything that belongs to it, including its personal tenant and organizations without other
 * members. One statement: all or nothing. Deletes nothing if an organization would lose its last owner, even when
 * another owner is leaving at the same moment.
 */
export async function deleteAccount(
  db: Pick<Db, "execute">,
  userId: string,
  by: ChangedBy,
  { deleteKeys, deleteOrganizations }: AccountEnds,
): Promise<AccountHoldings & { deleted: boolean }> {
  const { rows } = await db.execute<AccountHoldings & { deleted: boolean } & Record<string, unknown>>(sql`
    with members as (
      select * from member where organization_id in (select organization_id from member where user_id = ${userId})
      order by id for update
    ), orphans as (
      ${orphansOf(userId)}
    ), ending as (
      select id from "user" where id = ${userId} and not exists (select 1 from orphans)
    ), alone as (
      select m.organization_id as id from members m, ending
      where m.user_id = ending.id and not exists (
        select 1 from members other where other.organization_id = m.organization_id and other.user_id <> ending.id)
      union select ${personalTenantId(userId)} from ending where not exists (
        select 1 from members other where other.organization_id = ${personalTenantId(userId)} and other.user_id <> ending.id)
    ), grants as (
      ${liveGrants(sql`select id from ending`)}
    ), keys as (
      ${deleteKeys(sql`select id from ending`)}
    ), tenants as (
      ${deleteOrganizations(sql`select id from alone`)}
    ), dissolved as (
      ${changeEntry({
        event: "organization.deleted",
        ...by,
        from: sql`(select id from tenants where not ${isPersonalTenantSql(sql`id`)})`,
        tenant: sql`id`,
        target: sql`id`,
      })}
    ), deleted as (
      delete from "user" where id in (select id from ending) returning id
    ), recorded as (
      ${changeEntry({
        event: "account.deleted",
        ...by,
        from: sql`deleted`,
        tenant: sql`${personalTenantId(userId)}`,
        target: sql`id`,
      })}
    )
    select exists (select 1 from deleted) as deleted, ${listOf(sql`select name from orphans`)} as orphans,
      ${listOf(sql`select key from keys`)} as "keyHashes", ${listOf(sql`select grant_id from grants`)} as "grantIds"`);
  return rows[0] ?? { deleted: false, keyHashes: [], grantIds: [], orphans: [] };
}

/**
 * Query of the names of organizations that would have no owner without this user. Reads the statement's part `members`.
 */
const orphansOf = (userId: string) => sql`
  select o.name from members m join organization o on o.id = m.organization_id
  where m.user_id = ${userId} and ${ownerRoleSql(sql`m.role`)}
    and exists (select 1 from members other where other.organization_id = o.id and other.user_id <> m.user_id)
    and not exists (select 1 from members other where other.organization_id = o.id and other.user_id <> m.user_id and ${ownerRoleSql(sql`other.role`)})
  order by o.name`;

/** Whether an account still exists. For use after a statement whose answer was lost. */
export async function accountExists(db: Pick<Db, "execute">, userId: string): Promise<boolean> {
  const { rows } = await db.execute(sql`select 1 from "user" where id = ${userId}`);
  return rows.length > 0;
}

/** Longer than a sign-up takes between its inserts, so that one in progress is left alone. */
const UNDER_WAY_SECONDS = 15;

/**
 * Deletes the user that a failed sign-up with an email address (lower case) has left behind: not verified, and without
 * a way to sign in. One statement, with the audit entry and the personal organization.
 */
export async function deleteUnfinished(
  db: Pick<Db, "execute">,
  email: string,
  by: ChangedBy,
  { deleteOrganizations }: Pick<AccountEnds, "deleteOrganizations">,
): Promise<void> {
  await db.execute(sql`
    with unfinished as (
      delete from "user" u where u.email = ${email} and not u.email_verified
        and u.created_at < now() at time zone 'utc' - make_interval(secs => ${UNDER_WAY_SECONDS})
        and not exists (select 1 from account where user_id = u.id)
      returning id
    ), recorded as (
      ${changeEntry({
        event: "account.deleted",
        ...by,
        from: sql`unfinished`,
        tenant: personalTenantSql(sql`id`),
        target: sql`id`,
        detail: { reason: "unfinished_sign_up" },
      })}
    )
    ${deleteOrganizations(sql`select ${personalTenantSql(sql`id`)} from unfinished`)}`);
}
