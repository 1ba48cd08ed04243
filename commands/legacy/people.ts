import type { Sql } from "./state.ts";

/**
 * Imports users with all their columns, and creates each one's personal tenant as a sign-in would. Email addresses
 * become lower case, as Better Auth looks them up, unless two people's addresses differ only in case. Bans of the
 * previous system stay; administrators are the people in `ADMIN_EMAILS`.
 */
export async function importPeople(sql: Sql): Promise<void> {
  await sql.query(`
    insert into public."user" (id, name, email, email_verified, image, created_at, updated_at, banned, ban_reason, ban_expires)
    select id, name, case when count(*) over (partition by lower(email)) = 1 then lower(email) else email end, email_verified, image,
      created_at, updated_at, coalesce((to_jsonb(u) ->> 'banned')::boolean, false), to_jsonb(u) ->> 'ban_reason',
      (to_jsonb(u) ->> 'ban_expires')::timestamp
    from legacy."user" u`);
  await sql.query(`
    insert into public.organization (id, name, slug, created_at)
    select 'personal-' || id, name,
      'personal-' || lower(id) || case when row_number() over (partition by lower(id) order by id) = 1 then '' else '-' || left(md5(id), 8) end,
      now() at time zone 'utc'
    from legacy."user"`);
  await sql.query(`
    insert into public.member (id, organization_id, user_id, role, created_at)
    select 'owner-' || id, 'personal-' || id, id, 'owner', now() at time zone 'utc' from legacy."user"`);
}

/**
 * The condition for rows of the old `api_token` that are registry tokens: rows without API key columns, and rows whose
 * hash is that of a token.
 */
export const IS_TOKEN = `(start is null or token_hash ~ '^[0-9a-f]{64}$')`;

/** Imports registry tokens with their original columns, and reports each row. `now` is in epoch milliseconds. */
export async function importTokens(sql: Sql, now: number): Promise<void> {
  await sql.query(`
    insert into public.api_token (id, user_id, name, token_hash, scopes, last_used_at, expires_at, revoked_at, created_at)
    select id, user_id, name, token_hash, scopes, last_used_at, expires_at, revoked_at, created_at from legacy.api_token where ${IS_TOKEN}`);
  await sql.query(
    `insert into legacy.import_report (source, used_as, row_id, outcome, target_id, works, notes)
     select 'api_token', 'token', id, case when ${IS_TOKEN} then 'imported' else 'left out' end, case when ${IS_TOKEN} then id end,
       token_hash ~ '^[0-9a-f]{64}$' and ${IS_TOKEN} and revoked_at is null and (expires_at is null or expires_at > to_timestamp($1::float8 / 1000)),
       array_remove(array[
         case when not ${IS_TOKEN} then 'its hash is no token''s: it is an API key only' end,
         case when revoked_at is not null then 'revoked' end,
         case when expires_at <= to_timestamp($1::float8 / 1000) then 'expired' end,
         case when ${IS_TOKEN} and start is not null and not coalesce(enabled, true) and revoked_at is null
           then 'disabled as an API key, goes on as a token: revoke it if that is not meant' end], null)
     from legacy.api_token`,
    [now],
  );
}
