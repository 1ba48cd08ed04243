import { scopesToPermissions, type Scope } from "../../src/identity/scopes.ts";
import type { EnhancedKey, KeptKey } from "./enhanced-mapping.ts";
import type { NewKey, OldKey } from "./key-mapping.ts";
import type { Sql } from "./state.ts";

/** Rows per statement: large tables are copied in batches of this size. */
const PIECE = 5_000;

/**
 * SQL for the epoch milliseconds of a timestamp. One without a zone is in UTC, so the session's time zone must be UTC.
 */
const ms = (column: string) => `floor(extract(epoch from ${column}) * 1000)::float8`;

const keyColumns = (lastRequest: string) => `
  id, user_id as "userId", name, start, prefix, enabled, ${ms("expires_at")} as "expiresAt",
  remaining, refill_amount as "refillAmount", refill_interval as "refillInterval", ${ms("coalesce(last_refill_at, created_at)")} as "filledAt",
  rate_limit_enabled as "rateLimitEnabled", rate_limit_max as "rateLimitMax", rate_limit_time_window as "rateLimitTimeWindow",
  permissions, metadata, ${ms(lastRequest)} as "lastRequest", ${ms("created_at")} as "createdAt",
  ${ms("coalesce(updated_at, created_at)")} as "updatedAt"`;

/**
 * Reads all Better Auth keys of the old tables, Better Auth's own table first. A row of `api_token` is a key if and
 * only if it has a `start`.
 */
export async function readOldKeys(sql: Sql): Promise<OldKey[]> {
  const own = await sql.query(
    `select 'apiKey' as source, key as hash, null as "revokedAt", ${keyColumns("last_request")} from legacy."apiKey" order by id`,
  );
  const mixed = await sql.query(
    `select 'api_token' as source, token_hash as hash, ${ms("revoked_at")} as "revokedAt", ${keyColumns("coalesce(last_request, last_used_at)")}
     from legacy.api_token where start is not null order by id`,
  );
  return [...own.rows, ...mixed.rows] as OldKey[];
}

/** Reads all salted keys. */
export async function readEnhancedKeys(sql: Sql): Promise<EnhancedKey[]> {
  const { rows } = await sql.query(
    `select id, user_id as "userId", name, key_prefix as "keyPrefix", key_hash as "keyHash", salt, hash_algo as "hashAlgo", scopes,
       ip_whitelist::text[] as addresses, ${ms("locked_until")} as "lockedUntil", circuit_state as "circuitState", is_active as "isActive",
       ${ms("expires_at")} as "expiresAt", ${ms("last_used_at")} as "lastUsedAt", ${ms("created_at")} as "createdAt"
     from legacy.enhanced_api_keys order by id`,
  );
  return rows as EnhancedKey[];
}

/** SQL for a time in the form of Better Auth's tables: UTC without a zone. `at` is a column of epoch milliseconds. */
const utc = (at: string) => `(to_timestamp(${at} / 1000) at time zone 'utc')`;

/** Writes keys with their policies. Better Auth's own counters and limits stay off: the limits are in the policy. */
export async function writeKeys(sql: Sql, keys: readonly NewKey[]): Promise<void> {
  await inPieces(
    sql,
    keys.map(withPermissions),
    `
    with given as (select * from jsonb_to_recordset($1::jsonb) as r(id text, "userId" text, name text, start text, prefix text, hash text,
      enabled boolean, "expiresAt" float8, permissions text, metadata text, "lastRequest" float8, "createdAt" float8, "updatedAt" float8,
      "perMinute" int, burst int, "quotaMax" bigint, "quotaPeriod" text, "disabledUntil" float8, "revokedAt" float8)
    ), key as (
      insert into public.apikey (id, config_id, reference_id, name, start, prefix, key, enabled, rate_limit_enabled, request_count, last_request,
        expires_at, created_at, updated_at, permissions, metadata)
      select id, 'default', "userId", name, start, prefix, hash, enabled, false, 0, ${utc('"lastRequest"')},
        ${utc('"expiresAt"')}, ${utc('"createdAt"')}, ${utc('"updatedAt"')}, permissions, metadata from given
    )
    insert into public.api_key_policy (key_id, tenant_id, chain_id, created_by, per_minute, burst, quota_max, quota_period, disabled_until,
      revoked_at, revoked_reason)
    select id, 'personal-' || "userId", id, "userId", "perMinute", burst, "quotaMax", "quotaPeriod", to_timestamp("disabledUntil" / 1000),
      to_timestamp("revokedAt" / 1000), case when "revokedAt" is not null then 'revoked before the import' end from given`,
  );
}

/** Stores salted keys until they are first used. */
export async function writeKeptKeys(sql: Sql, keys: readonly KeptKey[]): Promise<void> {
  await inPieces(
    sql,
    keys.map(withPermissions),
    `
    insert into public.legacy_key (id, user_id, name, key_prefix, key_hash, salt, hash_algo, permissions, addresses, enabled, disabled_until,
      expires_at, last_used_at, created_at)
    select id, "userId", name, "keyPrefix", "keyHash", salt, "hashAlgo", permissions, addresses, enabled, to_timestamp("disabledUntil" / 1000),
      to_timestamp("expiresAt" / 1000), to_timestamp("lastUsedAt" / 1000), to_timestamp("createdAt" / 1000)
    from jsonb_to_recordset($1::jsonb) as r(id text, "userId" text, name text, "keyPrefix" text, "keyHash" text, salt text, "hashAlgo" text,
      permissions text, addresses text[], enabled boolean, "disabledUntil" float8, "expiresAt" float8, "lastUsedAt" float8, "createdAt" float8)`,
  );
}

/** The result for one old row in one of its uses. `works`: whether it can be used now. */
export interface ReportRow {
  source: "apiKey" | "api_token" | "enhanced_api_keys";
  rowId: string;
  outcome: "imported" | "duplicate" | "kept for its first use" | "refused";
  targetId: string | null;
  works: boolean;
  notes: string[];
}

/** Adds the results for keys to `legacy.import_report`. */
export async function writeReport(sql: Sql, rows: readonly ReportRow[]): Promise<void> {
  await inPieces(
    sql,
    rows,
    `
    insert into legacy.import_report (source, used_as, row_id, outcome, target_id, works, notes)
    select source, 'key', "rowId", outcome, "targetId", works, notes
    from jsonb_to_recordset($1::jsonb) as r(source text, "rowId" text, outcome text, "targetId" text, works boolean, notes text[])`,
  );
}

const withPermissions = <T extends { scopes: readonly Scope[] }>(key: T) => ({
  ...key,
  permissions: JSON.stringify(scopesToPermissions(key.scopes)),
});

async function inPieces(sql: Sql, rows: readonly object[], statement: string): Promise<void> {
  for (let from = 0; from < rows.length; from += PIECE) {
    await sql.query(statement, [JSON.stringify(rows.slice(from, from + PIECE))]);
  }
}
