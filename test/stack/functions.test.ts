import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyMigrations } from "../../commands/migrations.ts";
import { startSqlServer, type SqlServer } from "./servers.ts";

const SRC = resolve(import.meta.dirname, "../../src");

/** The current sources of functions, triggers and views, by path below `src`. */
const sources = new Map(
  readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".sql"))
    .map((path) => [path.replaceAll("\\", "/"), readFileSync(join(SRC, path), "utf8")]),
);

/** The definition of each function, trigger and view of the schema public; what an extension brought is left out. */
const DEFINITIONS = `
  select 'function ' || p.proname as name, pg_get_functiondef(p.oid) as definition
  from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prokind in ('f', 'p')
    and not exists (select 1 from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
  union all
  select 'trigger ' || t.tgname, pg_get_triggerdef(t.oid)
  from pg_trigger t join pg_class c on c.oid = t.tgrelid
  where c.relnamespace = 'public'::regnamespace and not t.tgisinternal
  union all
  select 'view ' || c.relname, coalesce(c.reloptions::text, '') || pg_get_viewdef(c.oid)
  from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm')
  order by 1`;

let server: SqlServer;
let owner: Client;

beforeAll(async () => {
  server = await startSqlServer();
  await applyMigrations(server.connectionString);
  owner = new Client({ connectionString: server.connectionString });
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await server.stop();
});

async function definitions(): Promise<Map<string, string>> {
  const { rows } = await owner.query<{ name: string; definition: string }>(DEFINITIONS);
  const found = new Map(rows.map(({ name, definition }) => [name, definition]));
  if (found.size !== rows.length) throw new Error("Two definitions have one name");
  return found;
}

/** What a source defines, such as `function end_grant`. */
const defined = (source: string): string[] =>
  [...source.matchAll(/^CREATE OR REPLACE (FUNCTION|TRIGGER|VIEW) (\w+)/gm)].map(
    ([, kind = "", name = ""]) => `${kind.toLowerCase()} ${name}`,
  );

/** The names whose definitions these statements would change, on the migrated database; it stays as it was. */
async function changedBy(statements: Iterable<string>): Promise<string[]> {
  const before = await definitions();
  await owner.query("begin");
  try {
    for (const statement of statements) await owner.query(statement);
    const after = await definitions();
    return [...new Set([...before.keys(), ...after.keys()])].filter((name) => before.get(name) !== after.get(name));
  } finally {
    await owner.query("rollback");
  }
}

describe("the sources of SQL functions, triggers and views", () => {
  it("define each one that the migrations make, once, and no other", async () => {
    const made = [...(await definitions()).keys()].toSorted();
    expect(made).toContain("function lock_refresh_token");
    expect(made).toContain("trigger members_left");
    expect(made).toContain("view api_key_check");
    expect([...sources.values()].flatMap(defined).toSorted()).toEqual(made);
  });

  it("contain nothing else", () => {
    const foreign = [...sources].flatMap(([path, source]) => {
      const statements = source.match(/^(?:create|alter|drop|grant|revoke|insert|update|delete)\b.*/gim) ?? [];
      return statements.slice(defined(source).length).map((statement) => `${path}: ${statement}`);
    });
    expect(foreign).toEqual([]);
  });

  it("are what the migrations made", async () => {
    expect(await changedBy(sources.values())).toEqual([]);
  });

  it.each([
    ["grants/refresh.sql", "interval '5 seconds'", "interval '6 seconds'", "function lock_refresh_token"],
    ["keys/changes.sql", "OLD.name, OLD.reference_id", "OLD.prefix, OLD.reference_id", "trigger apikey_changed"],
    ["keys/read-view.sql", "u.banned IS NOT TRUE", "u.banned IS NULL", "view api_key_check"],
    ["keys/read-view.sql", "WITH (security_barrier)", "", "view api_key_check"],
    ["registry/reading/search.sql", "IMMUTABLE PARALLEL SAFE", "IMMUTABLE", "function registry_words"],
  ])("are seen to differ when %s has other than %s", async (path, part, other, changed) => {
    const source = sources.get(path) ?? "";
    expect(source).toContain(part);
    expect(await changedBy([source.replace(part, other)])).toEqual([changed]);
  });

  it("are seen to differ when a function has an overload", async () => {
    const overload = "CREATE FUNCTION end_grant(p_grant uuid) RETURNS void LANGUAGE sql AS 'select null::void'";
    await expect(changedBy([overload])).rejects.toThrow("Two definitions have one name");
  });
});
