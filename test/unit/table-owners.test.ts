import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { COMMENT, modulesBelow } from "../support/imports.ts";

const SRC = join(resolve(import.meta.dirname, "../.."), "src");

/** Each room with the tables that only its modules write. Other rooms write them through its verbs and fragments of SQL. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  accounts: ["user", "account", "session"],
  audit: ["audit_log", "audit_intent"],
  grants: [
    "oauth_client",
    "oauth_client_assertion",
    "oauth_client_resource",
    "oauth_resource",
    "oauth_consent",
    "oauth_access_token",
    "oauth_refresh_token",
    "refresh_lock",
    "ended_grant",
    "device_code",
  ],
  identity: ["jwks"],
  keys: ["apikey", "api_key_policy", "api_token", "legacy_key"],
  limits: ["tenant_policy", "quota_use", "try_count"],
  organizations: ["organization", "member", "invitation"],
  platform: ["epoch", "outbox"],
  registry: [
    "registry_namespace",
    "registry_server",
    "registry_version",
    "registry_source",
    "registry_view",
    "idempotent_answer",
  ],
  upstreams: ["upstream_server"],
};

const sources = new Map([...modulesBelow(SRC)].map(([file, source]) => [file, source.replace(COMMENT, "")]));

/** Tables by the name of their constant in the schemas. */
const TABLES = new Map(
  [...sources]
    .filter(([file]) => file.endsWith("schema.ts"))
    .flatMap(([, source]) => [...source.matchAll(/export const (\w+) = pgTable\(\s*"(\w+)"/g)])
    .map(([, constant = "", table = ""]) => [constant, table]),
);
const ownerOf = (table: string) => Object.keys(OWNERS).find((room) => OWNERS[room]?.includes(table));

/** A name in SQL, quoted or not, with its schema or not, or an expression of the template. */
const TARGET = String.raw`(\$\{[^}]*\}|(?:"?public"?\.)?"?[a-z_][a-z0-9_]*"?)`;
/** In SQL text. An update has a SET: the `for update` of a lock and the `do update` of a conflict have no table. */
const IN_SQL = new RegExp(
  String.raw`\b(?:insert\s+into|delete\s+from(?:\s+only)?|merge\s+into|truncate(?:\s+table)?)\s+${TARGET}` +
    String.raw`|\bupdate\s+(?:only\s+)?${TARGET}(?:\s+(?:as\s+)?(?!set\b)"?\w+"?)?\s+set\b`,
  "gi",
);
/** Through Drizzle, on whatever holds the connection: also with the call on the next line. */
const IN_DRIZZLE = /\b(?:db|tx|write|database|transaction)\s*\.\s*(?:insert|update|delete)\(\s*([\w.]+)/g;

/** The tables that a source writes; what cannot be told is given as it is written. */
function writesOf(source: string): string[] {
  const inSql = [...source.matchAll(IN_SQL)].map(([, other, updated]) => other ?? updated ?? "");
  const inDrizzle = [...source.matchAll(IN_DRIZZLE)].map(([, target = ""]) => `\${${target}}`);
  return [...inSql, ...inDrizzle].map((target) => {
    const constant = /^\$\{(?:schema\.)?(\w+)\}$/.exec(target)?.[1];
    if (constant !== undefined) return TABLES.get(constant) ?? target;
    return target.startsWith("$")
      ? target
      : target
          .replaceAll('"', "")
          .replace(/^public\./i, "")
          .toLowerCase();
  });
}

/** The writes of a module to tables that are not its room's, or that nobody knows. */
const foreignWrites = (file: string, source: string): string[] =>
  writesOf(source)
    .filter((table) => ownerOf(table) === undefined || ownerOf(table) !== file.split("/")[0])
    .map((table) => `${file} writes ${table} of ${ownerOf(table) ?? "nobody"}`);

describe("each table", () => {
  it("has one owner", () => {
    const owned = Object.values(OWNERS).flat();
    expect(owned.toSorted()).toEqual([...TABLES.values()].toSorted());
    expect(new Set(owned).size).toBe(owned.length);
  });

  it("is written by modules of its owner only", () => {
    expect([...sources].flatMap(([file, source]) => foreignWrites(file, source))).toEqual([]);
  });
});

describe("the test above", () => {
  it("sees the writes that are there", () => {
    const writers = (table: string) =>
      [...sources].filter(([, source]) => writesOf(source).includes(table)).map(([file]) => file);
    expect(writers("audit_log")).toEqual(["audit/entry.ts"]);
    expect(writers("quota_use")).toEqual(["limits/quota.ts"]);
    expect(writers("outbox")).toEqual(["platform/outbox.ts"]);
    expect(writers("device_code")).toEqual(["grants/device/codes.ts"]);
  });

  it.each([
    ["an insert", "sql`insert into quota_use (used) values (1)`"],
    ["an insert on more lines", "sql`INSERT\n  INTO quota_use as q (used) values (1)`"],
    ["a constant", "sql`insert into ${quotaUse} as q (used) values (1)`"],
    ["quotes", 'sql`delete from "quota_use" where true`'],
    ["a schema", "sql`delete from public.quota_use where true`"],
    ["an update", "sql`update quota_use set used = 1`"],
    ["an update with a short name", "sql`update quota_use as q set used = 1`"],
    ["an update with a shorter name", "sql`with a as (\n update ${quotaUse} q\n set used = 1) select 1`"],
    ["a merge", "sql`merge into quota_use using other on true`"],
    ["a truncate", "sql`truncate quota_use`"],
    ["Drizzle", "await db.insert(quotaUse).values({})"],
    ["Drizzle on more lines", "await deps.db\n  .update(schema.quotaUse)\n  .set({})"],
    ["Drizzle in a list", "db.batch([databases.write.delete(quotaUse)])"],
  ])("finds %s in another room, and none in the owner's", (_case, source) => {
    expect(foreignWrites("audit/journal.ts", source)).toEqual(["audit/journal.ts writes quota_use of limits"]);
    expect(foreignWrites("limits/quota.ts", source)).toEqual([]);
  });

  it("refuses what it cannot tell", () => {
    expect(foreignWrites("limits/quota.ts", "sql`delete from ${sql.identifier(name)}`")).toHaveLength(1);
    expect(foreignWrites("limits/quota.ts", "db.update(table).set({})")).toHaveLength(1);
    expect(foreignWrites("limits/quota.ts", "sql`insert into unheard_of values (1)`")).toHaveLength(1);
  });

  it("takes locks, conflicts and maps for no writes", () => {
    const source = `
      sql\`select 1 from member order by id for update\`; sql\`select 1 from "user" for no key update\`;
      sql\`on conflict (id) do update set used = excluded.used\`; kept.delete(key); createHash("sha256").update(text);`;
    expect(writesOf(source)).toEqual([]);
  });
});
