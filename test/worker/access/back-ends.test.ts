import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import page from "../../../docs/back-ends.md?raw";
import { sha256 } from "../../../src/platform/crypto.ts";
import { generateApiKey } from "../../../src/keys/token.ts";
import {
  callTool,
  db,
  eventually,
  newKey,
  newUser,
  origin,
  request,
  resetStats,
  stats,
  withFault,
} from "../../support/gateway.ts";
import { postKey, newManager, organizationOf, type Manager } from "../../support/keys.ts";
import {
  byBasic,
  managing,
  newAdministrator,
  newManagedClient,
  postAs,
  setRole,
  type Sent,
} from "../../support/managed-clients.ts";
import { AUTH, gatewayWith, json, newClient, newPerson, register, REDIRECT, tokensFor } from "../../support/oauth.ts";

const VERIFY = "/api/v1/keys/verify";
const INACTIVE = { active: false };
const NOTES = `${origin}/mcp/notes`;

/** Somebody with a key of theirs, and a back end that asks about keys in the same tenant. */
async function newBackEnd(options: { tenantId?: string; userId?: string } = {}) {
  const manager = await newManager({ ...options, scopes: ["mcp:tools", "audit:read", "keys:read", "keys:write"] });
  const asking = await newKey({ userId: manager.userId, scopes: ["keys:verify"] });
  await db.execute(sql`update api_key_policy set tenant_id = ${manager.tenantId} where key_id = ${asking.id}`);
  const api = managing(asking.key);
  const ask = async (body: Record<string, unknown>) => {
    const answer = await api("POST", VERIFY, body);
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"]);
    return json(answer);
  };
  return { ...manager, asking, ask };
}

/** A confidential client of the tenant that serves these resources. */
const newServer = async (tenantId: string | null, resources = [NOTES]) =>
  byBasic(await newManagedClient({ tenantId, resources }));

async function told(client: Sent, token: string, address?: string): Promise<Record<string, unknown>> {
  const answer = await postAs("introspect", client, { token, address });
  expect(answer.status).toBe(200);
  return json(answer);
}

const setPolicy = (id: string, change: string) =>
  db.execute(sql`update api_key_policy set ${sql.raw(change)} where key_id = ${id}`);
const setKey = (id: string, change: string) => db.execute(sql`update apikey set ${sql.raw(change)} where id = ${id}`);

/** Ways for a key to be no good, whoever asks. */
const FAULTS: [string, (made: { id: string; key: string; userId: string }) => Promise<unknown> | string][] = [
  ["mistyped", ({ key }) => key.replace(/.$/, (last) => (last === "0" ? "1" : "0"))],
  ["unknown", () => generateApiKey()],
  ["of the wrong length", ({ key }) => `${key}0`],
  ["empty", () => ""],
  ["no key", () => "x".repeat(200)],
  ["disabled", ({ id }) => setKey(id, "enabled = false")],
  ["expired", ({ id }) => setKey(id, "expires_at = now() at time zone 'utc' - interval '1 second'")],
  ["revoked", ({ id }) => setPolicy(id, "revoked_at = now()")],
  ["locked", ({ id }) => setPolicy(id, "disabled_until = now() + interval '1 hour'")],
  ["deleted", ({ id }) => db.execute(sql`delete from apikey where id = ${id}`)],
  ["of another tenant", async ({ id }) => setPolicy(id, `tenant_id = '${(await newUser()).tenantId}'`)],
  ["of somebody who is banned", ({ userId }) => db.execute(sql`update "user" set banned = true where id = ${userId}`)],
  ["held to other addresses", ({ id }) => setPolicy(id, "addresses = '{198.51.100.0/24}'")],
  ["held to no addresses", ({ id }) => setPolicy(id, "addresses = '{}'")],
];

describe("verification of a key", () => {
  it("R16: tells a server of the key's tenant who it is and what it may", async () => {
    const { ask, ...manager } = await newBackEnd();
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    const lists = { servers: ["notes"], tools: ["notes__add"], addresses: ["192.0.2.0/24"] };
    const made = await postKey(manager, { scopes: ["mcp:tools", "audit:read"], expiresAt, ...lists });
    expect(await ask({ key: made.key, scopes: ["mcp:tools"], address: "192.0.2.7" })).toEqual({
      active: true,
      keyId: made.id,
      name: "Laptop",
      userId: manager.userId,
      tenantId: manager.tenantId,
      scopes: ["mcp:tools", "audit:read"],
      expiresAt,
      servers: ["notes"],
      tools: ["notes__add"],
    });
    expect(await ask({ key: made.key, address: "192.0.3.7" })).toEqual(INACTIVE);
    expect(await ask({ key: made.key, address: "here" })).toEqual(INACTIVE);
    expect(await ask({ key: made.key })).toEqual(INACTIVE);
    expect(await ask({ key: made.key, address: "192.0.2.7", scopes: ["keys:read"] })).toEqual(INACTIVE);
  });

  it.each(FAULTS)("R16: says the same of every key that is not good: one that is %s", async (_what, spoil) => {
    const organization = await organizationOf("owner", "member");
    const { ask } = await newBackEnd({ userId: organization.owner, tenantId: organization.id });
    const made = await newKey({ userId: organization.member });
    await setPolicy(made.id, `tenant_id = '${organization.id}'`);
    expect(await ask({ key: made.key, address: "192.0.2.7" })).toMatchObject({
      active: true,
      userId: organization.member,
    });
    const other = await spoil(made);
    expect(await ask({ key: typeof other === "string" ? other : made.key, address: "192.0.2.7" })).toEqual(INACTIVE);
  });

  it("R16: is refused by the next question after a revocation, and when the owner leaves the organization", async () => {
    const organization = await organizationOf("owner", "member");
    const { ask } = await newBackEnd({ userId: organization.owner, tenantId: organization.id });
    const member = await newManager({ userId: organization.member, tenantId: organization.id });
    const [first, second] = [await postKey(member), await postKey(member)];
    expect(await ask({ key: first.key })).toMatchObject({ active: true });
    await member.api("POST", `/api/v1/keys/${first.id}/revoke`);
    expect(await ask({ key: first.key })).toEqual(INACTIVE);
    expect(await ask({ key: second.key })).toMatchObject({ active: true });
    await db.execute(
      sql`delete from member where user_id = ${organization.member} and organization_id = ${organization.id}`,
    );
    expect(await ask({ key: second.key })).toEqual(INACTIVE);
  });

  it("R16: names nobody for a key that belongs to the organization", async () => {
    const organization = await organizationOf("owner");
    const { ask, ...manager } = await newBackEnd({ userId: organization.owner, tenantId: organization.id });
    const { key } = await postKey(manager, { owner: "organization" });
    expect(await ask({ key })).toMatchObject({ active: true, userId: null, tenantId: organization.id });
  });

  it("R8: tells of the scope admin only while the owner is an administrator", async () => {
    const { ask, userId } = await newBackEnd();
    const { key } = await newKey({ userId, scopes: ["admin", "mcp:tools"] });
    expect(await ask({ key })).toMatchObject({ scopes: ["mcp:tools"] });
    expect(await ask({ key, scopes: ["admin"] })).toEqual(INACTIVE);
    await setRole(userId, "admin");
    expect(await ask({ key, scopes: ["admin"] })).toMatchObject({ scopes: ["admin", "mcp:tools"] });
  });

  it("J05: looks nothing up for a key whose checksum is wrong, and asks once for another", async () => {
    const { ask, ...manager } = await newBackEnd();
    const { key } = await postKey(manager);
    await ask({ key });
    const costOf = async (body: { key: string }) => {
      await resetStats();
      await ask(body);
      const { log } = await stats();
      return log.filter(({ what }) => what.some((label) => /apikey/.test(label))).length;
    };
    expect(await costOf({ key: `mrg_live_${"0".repeat(49)}` })).toBe(0);
    expect(await costOf({ key })).toBe(1);
  });

  it("R10: takes nothing from the key's limits and quota, and counts against those of whoever asks", async () => {
    const { ask, ...manager } = await newBackEnd();
    const fields = { rate: { perMinute: 1, burst: 1 }, quota: { max: 1, period: "total" } };
    const { key } = await postKey(manager, fields);
    for (let i = 0; i < 3; i++) expect(await ask({ key })).toMatchObject({ active: true });
    expect((await callTool("echo", { text: "x" }, { key })).status).toBe(200);
    expect((await callTool("echo", { text: "x" }, { key })).status).toBe(429);
    const slow = await newKey({ userId: manager.userId, scopes: ["keys:verify"] });
    await setPolicy(slow.id, "per_minute = 1, burst = 1");
    const statuses = [];
    for (let i = 0; i < 2; i++) statuses.push((await managing(slow.key)("POST", VERIFY, { key })).status);
    expect(statuses).toEqual([200, 429]);
  });

  it("R7: moves the key's last use", async () => {
    const { ask, ...manager } = await newBackEnd();
    const { key, id } = await postKey(manager);
    const lastUse = async () => (await json(await manager.api("GET", `/api/v1/keys/${id}`)))["lastUsedAt"] ?? undefined;
    expect(await lastUse()).toBeUndefined();
    await ask({ key });
    expect(await eventually(lastUse)).toEqual(expect.any(String));
  });

  it("R16: takes keys of the old system as long as /mcp does", async () => {
    const { ask, asking, userId } = await newBackEnd();
    const old = `old-${crypto.randomUUID()}`;
    const { id } = await newKey({ userId });
    await setKey(id, `key = '${await sha256(old)}'`);
    expect(await ask({ key: old })).toMatchObject({ active: true, keyId: id });
    const answer = await gatewayWith({ LEGACY_KEYS: "off" })(VERIFY, {
      method: "POST",
      headers: { "x-api-key": asking.key, "content-type": "application/json" },
      body: JSON.stringify({ key: old }),
    });
    expect(await json(answer)).toEqual(INACTIVE);
  });

  it.each([
    {},
    { key: 7 },
    { key: "x", scopes: ["openid"] },
    { key: "x", scopes: "mcp:tools" },
    { key: "x", tenantId: "y" },
  ])("O03: is not asked with %j", async (body) => {
    const { asking } = await newBackEnd();
    expect((await managing(asking.key)("POST", VERIFY, body)).status).toBe(400);
  });

  it("is a 503, not a verdict, while Postgres cannot be asked", async () => {
    const { ask, asking, ...manager } = await newBackEnd();
    const { key } = await postKey(manager);
    await ask({ key });
    const answer = await withFault({ neon: { mode: "down" } }, () => managing(asking.key)("POST", VERIFY, { key }));
    expect([answer.status, (await json(answer))["code"]]).toEqual([503, "unavailable"]);
  });
});

describe("introspection of a key", () => {
  it("R16: tells a server of the key's tenant what it needs", async () => {
    const manager = await newManager();
    const expiresAt = new Date(Math.ceil(Date.now() / 1000) * 1000 + 86_400_000);
    const { key, id } = await postKey(manager, { expiresAt: expiresAt.toISOString() });
    expect(await told(await newServer(manager.tenantId), key)).toEqual({
      active: true,
      scope: "mcp:tools mcp-registry:read",
      sub: manager.userId,
      iss: origin,
      exp: expiresAt.getTime() / 1000,
      jti: id,
      tenant: manager.tenantId,
      token_type: "api_key",
    });
  });

  it("R16: names the key for one that belongs to the organization, and no end for one that has none", async () => {
    const organization = await organizationOf("owner");
    const manager = await newManager({ userId: organization.owner, tenantId: organization.id });
    const { key, id } = await postKey(manager, { owner: "organization" });
    const state = await told(await newServer(organization.id), key);
    expect(state).toMatchObject({ active: true, sub: `key:${id}`, tenant: organization.id });
    expect(state).not.toHaveProperty("exp");
  });

  it("D08: tells nothing of keys to clients without a tenant or without resources, of another tenant, and of strangers", async () => {
    const manager: Manager = await newManager();
    const { key } = await postKey(manager);
    const stranger = await json(
      await register({ redirect_uris: [REDIRECT], token_endpoint_auth_method: "client_secret_basic" }),
    );
    const clients = [
      await newServer(null),
      await newServer((await newUser()).tenantId),
      byBasic(await newManagedClient({ clientCredentialsScopes: ["mcp:tools"], tenantId: manager.tenantId })),
      byBasic({ clientId: String(stranger["client_id"]), clientSecret: String(stranger["client_secret"]) }),
    ];
    for (const client of clients) expect(await told(client, key)).toEqual(INACTIVE);
  });

  it.each(FAULTS)("R16: says the same of every key that is not good: one that is %s", async (_what, spoil) => {
    const organization = await organizationOf("owner", "member");
    const made = await newKey({ userId: organization.member });
    await setPolicy(made.id, `tenant_id = '${organization.id}'`);
    const server = await newServer(organization.id);
    expect(await told(server, made.key, "192.0.2.7")).toMatchObject({ active: true, sub: organization.member });
    const other = (await spoil(made)) || "-";
    expect(await told(server, typeof other === "string" ? other : made.key, "192.0.2.7")).toEqual(INACTIVE);
  });

  it.each<[string, string, string[], boolean]>([
    ["some servers", "servers = '{notes,other}'", [NOTES], true],
    ["some servers", "servers = '{notes,other}'", [NOTES, `${origin}/mcp/other`], true],
    ["some servers", "servers = '{notes}'", [NOTES, `${origin}/mcp/other`], false],
    ["some servers", "servers = '{notes}'", [`${origin}/mcp`], false],
    ["other servers", "servers = '{other}'", [NOTES], false],
    ["no servers", "servers = '{}'", [NOTES], false],
    ["some tools", "tools = '{notes__add}'", [NOTES], false],
  ])("R16: of a key that is held to %s (%s) tells a server of %j: %s", async (_what, lists, resources, isTold) => {
    const made = await newKey();
    await setPolicy(made.id, lists);
    const server = await newServer(`personal-${made.userId}`, resources);
    expect((await told(server, made.key))["active"]).toBe(isTold);
  });

  it("R16: of a key that is held to addresses tells who says that it came from one", async () => {
    const made = await newKey();
    await setPolicy(made.id, "addresses = '{192.0.2.0/24}'");
    const server = await newServer(`personal-${made.userId}`);
    expect(await told(server, made.key, "192.0.2.7")).toMatchObject({ active: true });
    expect(await told(server, made.key, "198.51.100.7")).toEqual(INACTIVE);
    expect(await told(server, made.key)).toEqual(INACTIVE);
  });

  it("R16: takes keys of the old system as long as /mcp does", async () => {
    const old = `old-${crypto.randomUUID()}`;
    const made = await newKey();
    await setKey(made.id, `key = '${await sha256(old)}'`);
    const server = await newServer(`personal-${made.userId}`);
    expect(await told(server, old)).toMatchObject({ active: true, jti: made.id });
    const answer = await gatewayWith({ LEGACY_KEYS: "off" })(`${AUTH}/oauth2/introspect`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", ...server.headers },
      body: new URLSearchParams({ token: old }),
    });
    expect(await json(answer)).toEqual(INACTIVE);
  });

  it("R16: tells a server of a tenant of that tenant's access tokens only", async () => {
    const [mine, other] = [await newPerson(), await newPerson()];
    const server = await newServer(mine.tenantId);
    const [good, foreign] = [mine, other].map(async (person) =>
      tokensFor(await newClient(), person, { resource: NOTES }),
    );
    expect(await told(server, (await good)?.access_token ?? "")).toMatchObject({ active: true, tenant: mine.tenantId });
    expect(await told(server, (await foreign)?.access_token ?? "")).toEqual(INACTIVE);
    expect(await told(await newServer(null), (await foreign)?.access_token ?? "")).toMatchObject({ active: true });
  });
});

/** A fenced block of the page, by its kind and name. */
function block(kind: string, name: string): string {
  const [, text] = new RegExp(`^\`\`\`${kind} ${name}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(page) ?? [];
  if (text === undefined) throw new Error(`docs/back-ends.md has no ${kind} ${name}`);
  return text.replaceAll("https://gateway.example.com", origin);
}

/** Sends a request of the page, with what its reader would fill in. */
function send(name: string, values: Readonly<Record<string, string>> = {}): Promise<Response> {
  const text = block("http", name).replaceAll(/\{([A-Z_]+)\}/g, (hole, value: string) => values[value] ?? hole);
  const [head = "", ...body] = text.trimEnd().split("\n\n");
  const [start = "", ...lines] = head.split("\n");
  const [method = "", path = ""] = start.split(" ");
  const headers = new Headers(lines.map((line) => line.split(": ") as [string, string]));
  headers.delete("host");
  return request(path, { method, headers, ...(body.length > 0 && { body: body.join("\n\n") }) });
}

/** The same fields of the same types, and the same values of those that say what kind of answer it is. */
function expectLike(answer: Record<string, unknown>, name: string) {
  const shown = JSON.parse(block("json", name)) as Record<string, unknown>;
  const types = (object: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(object).map(([field, value]) => [field, value === null ? "null" : typeof value]));
  expect(types(answer)).toEqual(types(shown));
  for (const field of ["active", "iss", "aud", "scope", "scopes", "token_type", "servers"])
    expect([field, answer[field]]).toEqual([field, shown[field]]);
}

describe("the requests of docs/back-ends.md", () => {
  it("R16: verify a key", async () => {
    const { asking, ...manager } = await newBackEnd();
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    const { key } = await postKey(manager, { scopes: ["mcp:tools"], expiresAt, servers: ["notes"] });
    const values = { VERIFIER_KEY: asking.key, PRESENTED: key };
    expectLike(await json(await send("verify", values)), "verify-good");
    expectLike(await json(await send("verify", { ...values, PRESENTED: generateApiKey() })), "verify-bad");
  });

  it("R16: make a client, and introspect a key and a token with it", async () => {
    const person = await newPerson();
    const { key: ADMIN_TOKEN } = await newAdministrator();
    const made = await send("make-client", { ADMIN_TOKEN, TENANT: person.tenantId });
    expect(made.status).toBe(201);
    const { clientId, clientSecret } = await made.json<{ clientId: string; clientSecret: string }>();
    const values = { CLIENT_CREDENTIALS: btoa(`${clientId}:${clientSecret}`) };
    const manager = await newManager({ userId: person.id });
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    const { key } = await postKey(manager, { scopes: ["mcp:tools"], expiresAt });
    expectLike(await json(await send("introspect", { ...values, PRESENTED: key })), "introspect-key");
    const asked = { scope: "mcp:tools offline_access", resource: NOTES };
    const { access_token: token } = await tokensFor(await newClient(), person, asked);
    expectLike(await json(await send("introspect", { ...values, PRESENTED: token })), "introspect-token");
  });

  it("R16: read the signing keys, for as long as the answer says", async () => {
    const answer = await send("signing-keys");
    expect(answer.headers.get("cache-control")).toMatch(/max-age=\d+/);
    const { keys } = await answer.json<{ keys: Record<string, unknown>[] }>();
    expect(keys[0]).toMatchObject({ kty: "EC", crv: "P-256", kid: expect.any(String) });
  });
});
