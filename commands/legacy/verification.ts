import { IS_TOKEN } from "./people.ts";
import type { Sql } from "./state.ts";

/** Better Auth's form of an old hash, computed by Postgres as an independent check of the import. */
const expectedHash = (column: string) => `case when ${column} ~ '^[0-9a-fA-F]{64}$'
  then translate(rtrim(encode(decode(${column}, 'hex'), 'base64'), '='), '+/', '-_') else ${column} end`;
const isHash = (column: string) => `${column} ~ '^([0-9a-fA-F]{64}|[A-Za-z0-9_-]{43})$'`;

/**
 * Prepares all old Better Auth keys that have a hash, and whether anything prevents them from ever working. $1: now, in
 * epoch milliseconds. Collects statistics, because the planner has none for tables created in this transaction.
 */
const PREPARE: readonly string[] = [
  `create temporary table old_key on commit drop as
   select user_id, ${expectedHash("key")} as hash, enabled is false or expires_at <= to_timestamp($1::float8 / 1000) at time zone 'utc' as dead
   from legacy."apiKey" where ${isHash("key")}
   union all
   select user_id, ${expectedHash("token_hash")}, enabled is false or revoked_at is not null or expires_at <= to_timestamp($1::float8 / 1000)
   from legacy.api_token where start is not null and ${isHash("token_hash")}`,
  `analyze old_key, legacy.import_report, public."user", public.organization, public.member, public.api_token, public.apikey, public.api_key_policy,
     public.legacy_key`,
];

const IS_DEAD = `(not k.enabled or k.expires_at <= to_timestamp($1::float8 / 1000) at time zone 'utc')`;

/** Each rule counts the rows that contradict its sentence. */
const RULES: readonly (readonly [sentence: string, sql: string])[] = [
  [
    "every user is there, unchanged",
    `select count(*) from legacy."user" l full join public."user" n using (id) where (l.name, lower(l.email), l.email_verified, l.image, l.created_at)
       is distinct from (n.name, lower(n.email), n.email_verified, n.image, n.created_at)`,
  ],
  [
    "every user owns a personal tenant",
    `select count(*) from public."user" u where not exists (select 1 from public.member m where m.user_id = u.id
       and m.organization_id = 'personal-' || u.id and m.role = 'owner')`,
  ],
  [
    "every registry token is there, unchanged, and no other",
    `select count(*) from (select * from legacy.api_token where ${IS_TOKEN}) l full join public.api_token n using (id)
     where (l.user_id, l.name, l.token_hash, l.scopes, l.last_used_at, l.expires_at, l.revoked_at, l.created_at)
       is distinct from (n.user_id, n.name, n.token_hash, n.scopes, n.last_used_at, n.expires_at, n.revoked_at, n.created_at)`,
  ],
  [
    "every key with a usable hash is in apikey under that hash",
    `select count(*) from old_key o where not exists (select 1 from public.apikey k where k.key = o.hash and k.config_id = 'default')`,
  ],
  [
    "apikey has no other key, and each key belongs to one of its owners",
    `select count(*) from public.apikey k where not exists (select 1 from old_key o where o.hash = k.key and o.user_id = k.reference_id)`,
  ],
  [
    "every key that was disabled, revoked or expired still is",
    `select count(*) from old_key o join public.apikey k on k.key = o.hash where o.dead and not ${IS_DEAD}`,
  ],
  [
    "every key has the policy of a tenant",
    `select count(*) from public.apikey k left join public.api_key_policy p on p.key_id = k.id
     left join public.organization t on t.id = p.tenant_id where t.id is null`,
  ],
  [
    "every salted key is stored with its hash, or reported",
    `select count(*) from legacy.enhanced_api_keys e
     join legacy.import_report r on r.source = 'enhanced_api_keys' and r.row_id = e.id
     left join public.legacy_key n on n.id = r.target_id
     where r.outcome <> 'refused' and (n.user_id, n.key_prefix, n.key_hash, n.salt, n.hash_algo)
       is distinct from (e.user_id, e.key_prefix, lower(e.key_hash), e.salt, e.hash_algo)`,
  ],
  [
    "the report has one line for each use of each row",
    `select count(*) from legacy.import_report r full join (
       select 'api_token' as source, 'token' as used_as, id as row_id from legacy.api_token
       union all select 'api_token', 'key', id from legacy.api_token where start is not null
       union all select 'apiKey', 'key', id from legacy."apiKey"
       union all select 'enhanced_api_keys', 'key', id from legacy.enhanced_api_keys) o using (source, used_as, row_id)
     where r.outcome is null or o.source is null`,
  ],
  [
    "the counts of the report match the tables",
    `select abs((select count(*) from legacy.import_report where outcome = 'imported' and used_as = 'key') - (select count(*) from public.apikey))
       + abs((select count(*) from legacy.import_report where outcome = 'kept for its first use') - (select count(*) from public.legacy_key))`,
  ],
];

/** Compares what was written with the backup, row by row, before the commit. Throws when a rule does not hold. */
export async function verifyImport(sql: Sql, now: number): Promise<void> {
  for (const statement of PREPARE) await sql.query(statement, parameters(statement, now));
  for (const [sentence, statement] of RULES) {
    const { rows } = await sql.query(`select (${statement})::text as count`, parameters(statement, now));
    const wrong = Number((rows as { count: string }[])[0]?.count);
    if (wrong !== 0)
      throw new Error(`The import was rolled back because it is not true that ${sentence} (${wrong} rows)`);
  }
}

const parameters = (statement: string, now: number) => (statement.includes("$1") ? [now] : []);
