import { readFileSync } from "node:fs";
import { join } from "node:path";
import { neon } from "@neondatabase/serverless";
import { drizzle } from "drizzle-orm/neon-http";
import fc from "fast-check";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { applyMigrations } from "../../commands/migrations.ts";
import { principalOf } from "../../src/access/credential/authenticate.ts";
import { keyRecord } from "../../src/access/credential/fill.ts";
import { refusalOf } from "../../src/access/policy.ts";
import { ALL_SCOPES, permissionsToScopes, scopesToPermissions } from "../../src/identity/scopes.ts";
import { generateApiKey } from "../../src/keys/token.ts";
import { sha256 } from "../../src/platform/crypto.ts";
import type { Db } from "../../src/platform/postgres/db.ts";
import { aimDriver, startSqlServer, type SqlServer } from "./servers.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/back-ends.md"), "utf8");
const block = (name: string) => {
  const [, text] = new RegExp(`^\`\`\`sql ${name}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(page) ?? [];
  if (text === undefined) throw new Error(`docs/back-ends.md has no SQL ${name}`);
  return text;
};

let server: SqlServer;
let owner: Client;
/** Logged in as the owner, with the rights of `mrg_read`. */
let reader: Client;
let db: Pick<Db, "execute">;

beforeAll(async () => {
  server = await startSqlServer();
  await applyMigrations(server.connectionString);
  [owner, reader] = await Promise.all([connected(), connected()]);
  await reader.query("set role mrg_read");
  aimDriver(server.endpoint);
  db = drizzle(neon(server.connectionString));
});
afterAll(async () => {
  await Promise.all([owner.end(), reader.end()]);
  await server.stop();
});

async function connected(): Promise<Client> {
  const client = new Client({ connectionString: server.connectionString });
  await client.connect();
  return client;
}

let made = 0;
let ids: { key: string; user: string; organization: string };
let hash: string;

/** A key `ids.key` of the person `ids.user`, who is a member of `ids.organization`. */
beforeEach(async () => {
  const n = ++made;
  ids = { key: `key-${n}`, user: `user-${n}`, organization: `organization-${n}` };
  hash = await sha256(generateApiKey());
  const permissions = JSON.stringify(scopesToPermissions(["mcp:tools", "keys:read"]));
  await owner.query(`
    insert into "user" (id, name, email) values ('${ids.user}', 'Someone', '${ids.user}@example.com');
    insert into organization (id, name, slug, created_at) values ('${ids.organization}', 'Example organization', '${ids.organization}', now());
    insert into member (id, organization_id, user_id, role, created_at) values ('m-${n}', '${ids.organization}', '${ids.user}', 'member', now());
    insert into apikey (id, config_id, name, reference_id, key, enabled, created_at, updated_at, permissions)
    values ('${ids.key}', 'default', 'Laptop', '${ids.user}', '${hash}', true, now(), now(), '${permissions}')`);
});

const setKey = (change: string) => owner.query(`update apikey set ${change} where id = '${ids.key}'`);
const setPolicy = (change: string) => owner.query(`update api_key_policy set ${change} where key_id = '${ids.key}'`);
const setUser = (change: string) => owner.query(`update "user" set ${change} where id = '${ids.user}'`);

async function seen(): Promise<Record<string, unknown>> {
  const { rows } = await reader.query<Record<string, unknown>>("select * from api_key_check where key_hash = $1", [
    hash,
  ]);
  expect(rows).toHaveLength(1);
  return rows[0] ?? {};
}

/** Whether the gateway would take the key. */
async function isTaken(): Promise<boolean> {
  const record = (await keyRecord({ db, limits: {} }, hash))?.record;
  if (!record) throw new Error("the gateway does not know the key");
  const principal = principalOf({ kind: "api_key", key: "", hash }, record);
  const wanted = { address: null, scopes: [], server: null, tool: null, beyondTools: false };
  return refusalOf(record, principal, wanted, Date.now()) === undefined;
}

const UTC = "at time zone 'utc'";

describe("the view for other back ends", () => {
  it.each<[string, boolean, () => Promise<unknown>]>([
    ["as it was made", true, async () => {}],
    ["that expires later", true, () => setKey(`expires_at = now() ${UTC} + interval '1 hour'`)],
    ["that has expired", false, () => setKey(`expires_at = now() ${UTC} - interval '1 second'`)],
    ["that is disabled", false, () => setKey("enabled = false")],
    ["that is neither enabled nor disabled", false, () => setKey("enabled = null")],
    ["that is revoked", false, () => setPolicy("revoked_at = now()")],
    ["that is locked", false, () => setPolicy("disabled_until = now() + interval '1 hour'")],
    ["that was locked", true, () => setPolicy("disabled_until = now() - interval '1 second'")],
    ["of somebody who is banned", false, () => setUser("banned = true")],
    [
      "of somebody whose ban is over",
      true,
      () => setUser(`banned = true, ban_expires = now() ${UTC} - interval '1 second'`),
    ],
    [
      "of somebody whose ban is not over",
      false,
      () => setUser(`banned = true, ban_expires = now() ${UTC} + interval '1 hour'`),
    ],
    ["of somebody who is gone", false, () => owner.query(`delete from "user" where id = '${ids.user}'`)],
    ["that acts in an organization of its owner", true, () => setPolicy(`tenant_id = '${ids.organization}'`)],
    [
      "that acts in an organization that its owner has left",
      false,
      async () => {
        await setPolicy(`tenant_id = '${ids.organization}'`);
        await owner.query(`delete from member where organization_id = '${ids.organization}'`);
      },
    ],
    ["that acts in somebody else's tenant", false, () => setPolicy("tenant_id = 'personal-user-0'")],
    [
      "that belongs to an organization",
      true,
      async () => {
        await setKey(`config_id = 'organization', reference_id = '${ids.organization}'`);
        await setPolicy(`tenant_id = '${ids.organization}'`);
      },
    ],
    [
      "that belongs to an organization and acts elsewhere",
      false,
      async () => {
        await setKey(`config_id = 'organization', reference_id = '${ids.organization}'`);
        await setPolicy(`tenant_id = 'personal-${ids.user}'`);
      },
    ],
    [
      "that belongs to an organization that is gone",
      false,
      async () => {
        await setKey(`config_id = 'organization', reference_id = '${ids.organization}'`);
        await setPolicy(`tenant_id = '${ids.organization}'`);
        await owner.query(`delete from organization where id = '${ids.organization}'`);
      },
    ],
  ])("R16: says of a key %s what the gateway says: %s", async (_what, works, change) => {
    await change();
    expect([(await seen())["works"], await isTaken()]).toEqual([works, works]);
  });

  it("R16: tells of a key what a back end decides by, and no more", async () => {
    await setKey(`expires_at = '2999-01-01'`);
    await setPolicy("servers = '{notes}', tools = '{notes__add}', addresses = '{192.0.2.0/24}'");
    expect(await seen()).toEqual({
      key_hash: hash,
      key_id: ids.key,
      name: "Laptop",
      tenant_id: `personal-${ids.user}`,
      user_id: ids.user,
      scopes: ["keys:read", "mcp:tools"],
      works: true,
      expires_at: new Date("2999-01-01T00:00:00Z"),
      addresses: ["192.0.2.0/24"],
      servers: ["notes"],
      tools: ["notes__add"],
    });
  });

  it("R16: has one row for a key however often its owner is a member, and no user for an organization's key", async () => {
    await owner.query(`insert into member select id || '-again', organization_id, user_id, role, created_at from member
      where organization_id = '${ids.organization}'`);
    await setPolicy(`tenant_id = '${ids.organization}'`);
    expect(await seen()).toMatchObject({ user_id: ids.user, works: true });
    await setKey(`config_id = 'organization', reference_id = '${ids.organization}'`);
    expect(await seen()).toMatchObject({ user_id: null, works: true });
  });

  it("finds a key by the index on its hash", async () => {
    await reader.query("begin; set local enable_seqscan = off");
    const { rows } = await reader.query<{ "QUERY PLAN": string }>(
      `explain select works from api_key_check where key_hash = '${hash}'`,
    );
    await reader.query("rollback");
    expect(rows.map((row) => row["QUERY PLAN"]).join("\n")).toMatch(/apikey_key_idx.*\n\s*Index Cond: \(key = /);
  });
});

/** Permissions as the database keeps them, with what the gateway reads in them. */
function read(permissions: string | null): string[] {
  try {
    return [...new Set(permissionsToScopes(JSON.parse(permissions ?? "null")))].toSorted();
  } catch {
    return [];
  }
}

async function readInSql(permissions: readonly (string | null)[], isAdministrator = true): Promise<string[][]> {
  const { rows } = await reader.query<{ scopes: string[] }>(
    "select api_key_scopes(p, $2) as scopes from unnest($1::text[]) with ordinality as given(p, n) order by n",
    [permissions, isAdministrator],
  );
  return rows.map(({ scopes }) => scopes);
}

describe("the scopes in a key's permissions", () => {
  it.each([
    ...ALL_SCOPES.map((scope) => JSON.stringify(scopesToPermissions([scope]))),
    JSON.stringify(scopesToPermissions(ALL_SCOPES)),
    null,
    "",
    "null",
    "{}",
    "[]",
    "7",
    '"admin"',
    '["admin"]',
    "{",
    '{"mcp":["tools"]} x',
    ' {"mcp" : [ "tools" ] }\n',
    '{"mcp":"tools"}',
    '{"mcp":{"0":"tools"}}',
    '{"mcp":null}',
    '{"mcp":["tools","tools"]}',
    '{"mcp":["tools"],"mcp":[]}',
    '{"mcp":[],"mcp":["tools"]}',
    '{"mcp":["*"]}',
    '{"mcp:tools":["*"]}',
    '{"admin":["*","all"]}',
    '{"Admin":["*"]}',
    '{"mcp":[null,7,true,"tools"]}',
    '{"mcp":["Tools"," tools","tools "]}',
    '{"mcp":["t\\u006fols"]}',
    '{"":["mcp:tools"]}',
    '{"__proto__":["*"],"constructor":["*"],"toString":["*"]}',
  ])("R16: of %j are the same in SQL", async (permissions) => {
    expect(await readInSql([permissions])).toEqual([read(permissions)]);
  });

  it("R16: are the same in SQL for any resources and actions", async () => {
    const words = [
      "mcp",
      "keys",
      "admin",
      "audit",
      "mcp-registry",
      "openid",
      "tools",
      "read",
      "write",
      "verify",
      "*",
      "",
      "x",
    ];
    const word = fc.constantFrom(...words);
    const permissions = fc.dictionary(word, fc.oneof(fc.array(word), word, fc.constant(null)));
    const given = fc.sample(permissions, 500).map((value) => JSON.stringify(value));
    const expected = given.map(read);
    expect(await readInSql(given)).toEqual(expected);
    expect(expected.some((scopes) => scopes.length > 1)).toBe(true);
  });

  it("R16: are none where SQL cannot read what the gateway can", async () => {
    expect(await readInSql(['{"mcp":["tools"],"\\u0000":[]}', '{"mcp":[["tools"]]}'])).toEqual([[], []]);
  });

  it("R16: have admin for administrators only", async () => {
    const all = JSON.stringify(scopesToPermissions(["admin", "mcp:tools"]));
    expect(await readInSql([all], false)).toEqual([["mcp:tools"]]);
    await setKey(`permissions = '${all}'`);
    expect((await seen())["scopes"]).toEqual(["mcp:tools"]);
    await setUser("role = 'admin'");
    expect((await seen())["scopes"]).toEqual(["admin", "mcp:tools"]);
    await setKey(`config_id = 'organization', reference_id = '${ids.organization}'`);
    expect((await seen())["scopes"]).toEqual(["mcp:tools"]);
  });
});

describe("the role mrg_read", () => {
  it("R16: reads the view and nothing else", async () => {
    const { rows } = await owner.query<{ name: string }>(
      "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'drizzle')",
    );
    const tables = rows.map(({ name }) => name);
    for (const known of [
      "public.apikey",
      'public."user"',
      "public.audit_log",
      "public.api_key_policy",
      "public.legacy_key",
    ])
      expect(tables).toContain(known);
    for (const table of tables)
      await expect(reader.query(`select 1 from ${table} limit 1`)).rejects.toThrow(/permission denied/);
    expect((await reader.query("select key_id from api_key_check")).rows.length).toBeGreaterThan(0);
  });

  it.each([
    "insert into api_key_check (key_id) values ('x')",
    "update api_key_check set works = true",
    "delete from api_key_check",
    "update apikey set enabled = true",
    "select raise_epochs('{t:x}')",
    "create table mine (id int)",
    "create view mine as select * from apikey",
    "select nextval('outbox_id_seq')",
  ])("R16: may not: %s", async (statement) => {
    await expect(reader.query(statement)).rejects.toThrow(
      /permission denied|cannot (insert into|update|delete from) view/,
    );
  });

  it("R16: may log in after what docs/back-ends.md says", async () => {
    await owner.query("begin");
    await owner.query(block("role"));
    const { rows } = await owner.query(
      "select rolcanlogin, rolconnlimit, rolsuper from pg_roles where rolname = 'mrg_read'",
    );
    await owner.query("rollback");
    expect(rows).toEqual([{ rolcanlogin: true, rolconnlimit: 20, rolsuper: false }]);
  });
});

describe("the SQL of docs/back-ends.md", () => {
  const lookUp = async (tenant: string, address: string | null) =>
    (await reader.query<{ key_id: string }>(block("look-up"), [hash, tenant, address])).rows;

  it("R16: finds a key that is good, in its tenant only", async () => {
    const [found] = await lookUp(`personal-${ids.user}`, null);
    expect(found).toMatchObject({ key_id: ids.key, user_id: ids.user, scopes: ["keys:read", "mcp:tools"] });
    expect(await lookUp(ids.organization, null)).toEqual([]);
    await setKey("enabled = false");
    expect(await lookUp(`personal-${ids.user}`, null)).toEqual([]);
  });

  it.each([
    ["{192.0.2.0/24,2001:db8::/32}", "192.0.2.7", true],
    ["{192.0.2.0/24,2001:db8::/32}", "2001:db8::9", true],
    ["{192.0.2.7}", "192.0.2.7", true],
    ["{192.0.2.7}", "192.0.2.8", false],
    ["{192.0.2.0/24}", "198.51.100.1", false],
    ["{192.0.2.0/24}", "::ffff:192.0.2.7", false],
    ["{192.0.2.0/24}", null, false],
    ["{}", "192.0.2.7", false],
  ])("J14: with the addresses %s is from %s: %s", async (addresses, address, isGood) => {
    await setPolicy(`addresses = '${addresses}'`);
    expect(await lookUp(`personal-${ids.user}`, address)).toHaveLength(isGood ? 1 : 0);
  });

  it("asks for a scope that the key must have", async () => {
    await setKey(`permissions = '${JSON.stringify(scopesToPermissions(["audit:read"]))}'`);
    expect(await lookUp(`personal-${ids.user}`, null)).toEqual([]);
  });
});
