import { getTableColumns } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import { apikey } from "../../identity/schema.ts";
import { apiKeyPolicy, apiToken, legacyKey } from "../schema.ts";

/** One line of the checklist: what should be true, what was found, and what to do if it is not true. */
export interface ChecklistItem {
  name: string;
  ok: boolean;
  found: string;
  todo?: string;
}

/** Runs one statement without parameters and returns its rows: over TCP in commands, over Neon's HTTP in the Worker. */
export type RunStatement = (statement: string) => Promise<readonly Record<string, unknown>[]>;

/** For how many minutes a change may wait for Redis. A Cron run each minute sends what its request could not. */
const OUTBOX_MINUTES = 5;

const TRIGGERS = `apikey_made apikey_stays_revoked apikey_changed api_key_policy_changed apikey_gone
  members_joined members_changed members_left users_changed users_gone tenants_gone tenant_policy_made tenant_policy_changed tenant_policy_gone
  upstream_server_made upstream_server_changed upstream_server_gone`.split(/\s+/);

/** Tables that the Worker's role needs to write. It must not be able to rewrite `audit_log`. */
const WRITTEN = [
  "apikey",
  "api_key_policy",
  "api_token",
  "legacy_key",
  "quota_use",
  "epoch",
  "outbox",
  "tenant_policy",
];
const MAY = `select relname || ' ' || privilege as right from pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = 'public',
  unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) privilege
  where c.relkind = 'r' and has_table_privilege('mrg_app', c.oid, privilege)`;

const IMPORT = "npm run legacy:import (docs/migration.md)";
const MIGRATE = "npm run db:migrate";

/**
 * The checklist of the key tables: the three tables have the right columns, nothing of the old system is left,
 * keys and policies belong together, triggers and privileges are in place, and changes reach Redis. At most six
 * statements. Changes nothing and reads no secrets.
 */
export async function keyTableChecklist(run: RunStatement): Promise<ChecklistItem[]> {
  const columns = await columnsOf(run);
  const shapes = [
    shape(columns, "api_token", apiToken, IMPORT),
    shape(columns, "apikey", apikey, MIGRATE),
    shape(columns, "api_key_policy", apiKeyPolicy, MIGRATE),
    shape(columns, "legacy_key", legacyKey, MIGRATE),
    gone(columns, "apiKey"),
    gone(columns, "enhanced_api_keys"),
  ];
  // The other checks query tables that may be missing.
  if (!["apikey", "api_key_policy", "legacy_key", "outbox", "audit_log"].every((table) => columns.has(table)))
    return shapes;
  return [...shapes, await triggers(run), ...(await rights(run)), ...(await contents(run))];
}

async function columnsOf(run: RunStatement): Promise<Map<string, string[]>> {
  const rows = await run(`
    select c.relname as name, array_to_json(array_agg(a.attname order by a.attnum))::text as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where n.nspname = 'public' and c.relkind in ('r', 'p') group by 1`);
  return new Map(rows.map(({ name, columns }) => [String(name), JSON.parse(String(columns)) as string[]]));
}

function shape(columns: Map<string, string[]>, name: string, table: PgTable, todo: string): ChecklistItem {
  const expected = Object.values(getTableColumns(table)).map((column) => column.name);
  const there = columns.get(name) ?? [];
  const missing = expected.filter((column) => !there.includes(column));
  const extra = there.filter((column) => !expected.includes(column));
  const differences = [...listed("lacks", missing), ...listed("has in addition", extra)];
  if (there.length === 0)
    return item(
      `${name} has exactly its own columns`,
      false,
      "no such table",
      `${MIGRATE}, or for a database of the previous system first ${IMPORT}`,
    );
  const found = differences.join("; ") || `${expected.length} columns`;
  return item(`${name} has exactly its own columns`, missing.length + extra.length === 0, found, todo);
}

const gone = (columns: Map<string, string[]>, name: string) =>
  item(
    `the old table ${name} is gone`,
    !columns.has(name),
    columns.has(name) ? "it is in the schema public" : "gone",
    IMPORT,
  );

async function triggers(run: RunStatement): Promise<ChecklistItem> {
  const rows = await run("select tgname as name from pg_trigger where not tgisinternal and tgenabled in ('O', 'A')");
  const enabled = new Set(rows.map(({ name }) => name));
  const missing = TRIGGERS.filter((name) => !enabled.has(name));
  const todo = `${MIGRATE}; if a trigger is disabled: alter table … enable trigger …`;
  return item(
    "the triggers that count changes are enabled",
    missing.length === 0,
    missing.join(", ") || `${TRIGGERS.length}`,
    todo,
  );
}

async function rights(run: RunStatement): Promise<ChecklistItem[]> {
  const [role] = await run("select 1 as there from pg_roles where rolname = 'mrg_app'");
  const held = new Set(role ? (await run(MAY)).map(({ right }) => String(right)) : []);
  const needed = [
    ...WRITTEN.flatMap((table) => ["SELECT", "INSERT", "UPDATE", "DELETE"].map((right) => `${table} ${right}`)),
    "audit_log SELECT",
    "audit_log INSERT",
  ];
  const lacking = needed.filter((right) => !held.has(right));
  const excess = ["audit_log UPDATE", "audit_log DELETE"].filter((right) => held.has(right));
  return [
    item(
      "mrg_app may write what it needs",
      lacking.length === 0,
      lacking.join(", ") || "yes",
      "grant it, as migrations/0002_roles.sql does",
    ),
    item(
      "mrg_app may not rewrite the audit log",
      excess.length === 0,
      excess.join(", ") || "it cannot",
      "revoke update, delete on audit_log from mrg_app",
    ),
  ];
}

async function contents(run: RunStatement): Promise<ChecklistItem[]> {
  const [row] = await run(`
    select (select count(*) from apikey)::int as keys,
      (select count(*) from apikey where key !~ '^[A-Za-z0-9_-]{43}$')::int as malformed,
      (select count(*) - count(distinct key) from apikey)::int as repeated,
      (select count(*) from apikey k where not exists (select 1 from api_key_policy p where p.key_id = k.id))::int as unruled,
      (select count(*) from api_key_policy p where not exists (select 1 from apikey k where k.id = p.key_id))::int as orphaned,
      (select count(*) from legacy_key)::int as legacy,
      (select count(*) from outbox where at < now() - interval '${OUTBOX_MINUTES} minutes')::int as waiting`);
  const count = (name: string) => Number(row?.[name]);
  const fits = (name: string) => count(name) === 0;
  const keys = `${count("keys")} keys`;
  const foreign = "delete these rows: they match no key";
  const cron =
    "see the log of the scheduled handler, and whether Redis answers: changes of keys and members reach the Worker late";
  return [
    item(
      "hashes in apikey are SHA-256 in base64url",
      fits("malformed"),
      fits("malformed") ? keys : `${count("malformed")} are not`,
      foreign,
    ),
    item(
      "no hash occurs twice",
      fits("repeated"),
      fits("repeated") ? keys : `${count("repeated")} do`,
      "delete the wrong row; then npm run db:migrate",
    ),
    item(
      "every key has a policy",
      fits("unruled"),
      fits("unruled") ? keys : `${count("unruled")} have none`,
      "insert it, as apikey_made in src/keys/changes.sql does",
    ),
    item(
      "every policy has a key",
      fits("orphaned"),
      fits("orphaned") ? "no orphans" : `${count("orphaned")} have none`,
      "delete the policies",
    ),
    item(
      "changes reach Redis",
      fits("waiting"),
      fits("waiting") ? "none waiting" : `${count("waiting")} have waited for more than ${OUTBOX_MINUTES} minutes`,
      cron,
    ),
    item("salted keys not used since the import", true, `${count("legacy")}`, ""),
  ];
}

const listed = (what: string, names: readonly string[]) => (names.length === 0 ? [] : [`${what} ${names.join(", ")}`]);

const item = (name: string, ok: boolean, found: string, todo: string): ChecklistItem =>
  ok ? { name, ok, found } : { name, ok, found, todo };
