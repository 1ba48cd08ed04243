import { sql, type SQL } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import {
  answerInvitation,
  cancelInvitation,
  findInvitation,
  invite,
  isInvited,
} from "../../../src/organizations/invitations.ts";
import {
  changeRole,
  createOrganization,
  findOrganization,
  removeMember,
} from "../../../src/organizations/organizations.ts";
import {
  activeSql,
  actsIn,
  actsInSql,
  administersSql,
  isActive,
  isActiveUser,
  isAdministrator,
  isManagerRole,
  isOwnerRole,
  isPersonalTenant,
  isPersonalTenantSql,
  managerRoleSql,
  managesSql,
  managesTenant,
  mayManageRole,
  mayManageRoleSql,
  ownerRoleSql,
  personalTenantId,
  personalTenantSql,
  ROLES,
  roleSql,
} from "../../../src/identity/standing.ts";
import { checkKey } from "../../../src/access/verification/key-check.ts";
import { createKey } from "../../../src/keys/creation.ts";
import { updateKey } from "../../../src/keys/changes.ts";
import { getKey } from "../../../src/keys/keys.ts";
import { sha256 } from "../../../src/platform/crypto.ts";
import { addSource, findSource, listSources } from "../../../src/registry/mirror/source.ts";
import { curationOf, setGateway, setVisibility } from "../../../src/registry/publishing/visibility.ts";
import { createView, viewsOf } from "../../../src/registry/views/changes.ts";
import { changedBy, signIn } from "../../support/accounts.ts";
import { formBrowser, pageOf } from "../../support/browsing.ts";
import { callTool, db, newKey, newUser, origin } from "../../support/gateway.ts";
import { NOBODY, organizationOf } from "../../support/keys.ts";
import { byBasic, CLIENTS, managing, newManagedClient, postAs, setRole } from "../../support/managed-clients.ts";
import { codeFor, json, newClient, newPerson, redeem, refresh, tokensFor } from "../../support/oauth.ts";
import { ask, definition, newLegacyToken, ownNamespace, publishTo } from "../../support/publishing.ts";
import { addServer, newWord } from "../../support/registry.ts";

/** Bans by their end as Postgres reads it; null: for good. */
const BANS: readonly (readonly [what: string, end: string | null, isActive: boolean])[] = [
  ["for good", null, false],
  ["for another hour", "1 hour", false],
  ["until a second ago", "-1 second", true],
];

const ban = (userId: string, end: string | null) =>
  db.execute(sql`
    update "user" set banned = true, ban_expires = now() at time zone 'utc' + ${end}::interval where id = ${userId}`);

const noDeps = { db, flushOutbox: async () => undefined };
const now = () => Date.now();

describe.each(BANS)("somebody who is banned %s", (_what, end, expected) => {
  it("O04: signs in, stays signed in and has tokens only if that ban is over", async () => {
    const [person, clientId, browser] = [await newPerson(), await newClient(), formBrowser()];
    const tokens = await tokensFor(clientId, person);
    const code = await codeFor(clientId, person, {}, browser);
    const server = byBasic(await newManagedClient({ resources: [`${origin}/mcp`] }));
    await ban(person.id, end);
    const told = await json(await postAs("introspect", server, { token: tokens.access_token }));
    expect(told["active"]).toBe(expected);
    expect((await callTool("whoami", {}, { token: tokens.access_token })).status).toBe(expected ? 200 : 401);
    expect((await redeem(clientId, code)).status).toBe(expected ? 200 : 400);
    expect((await refresh(clientId, tokens.refresh_token)).status).toBe(expected ? 200 : 400);
    const seen = pageOf(await browser.open("/dashboard/organizations"));
    expect(seen.url.pathname).toBe(expected ? "/dashboard/organizations" : "/sign-in");
    expect((await signIn(formBrowser(), person.email)).status).toBe(expected ? 200 : 403);
  });

  it("O04: has refresh tokens that a client is told are good only if that ban is over", async () => {
    const { id: userId, tenantId } = await newUser();
    const managed = await newManagedClient();
    const token = crypto.randomUUID();
    await db.execute(sql`
      insert into oauth_refresh_token (id, token, client_id, user_id, reference_id, authorization_code_id, scopes, created_at, expires_at)
      values (${token}, ${await sha256(token)}, ${managed.clientId}, ${userId}, ${tenantId}, ${token}, array['mcp:tools'], now() at time zone 'utc',
        now() at time zone 'utc' + interval '1 hour')`);
    await ban(userId, end);
    const told = await json(await postAs("introspect", byBasic(managed), { token }));
    expect(told["active"]).toBe(expected);
  });

  it("O04: has API keys that work, and makes and changes keys, only if that ban is over", async () => {
    const { owner, id: organization } = await organizationOf("owner");
    const { key, id } = await newKey({ userId: owner });
    await setRole(owner, "admin");
    const tenantId = personalTenantId(owner);
    const actor = { ...NOBODY, userId: owner, scopes: new Set(["mcp:tools", "admin"] as const) };
    const ofOrganization = { name: "CI", tenantId: organization, owner: "organization" } as const;
    const made = await createKey(noDeps, actor, ofOrganization, now());
    if (made.state !== "done") throw new Error(made.state);
    await ban(owner, end);
    expect((await callTool("echo", { text: "x" }, { key })).status).toBe(expected ? 200 : 401);
    const question = { key, tenantId, scopes: [], address: null };
    expect((await checkKey({ db, acceptsLegacyKeys: false }, question, now())) !== undefined).toBe(expected);
    for (const input of [{ name: "Own", scopes: ["admin"] as const }, ofOrganization])
      expect((await createKey(noDeps, actor, input, now())).state).toBe(expected ? "done" : "forbidden");
    expect((await getKey(db, actor, made.info.id, now())) !== null).toBe(expected);
    const widened = await updateKey(noDeps, actor, id, { scopes: ["admin"] }, now());
    expect(widened.state).toBe(expected ? "done" : "forbidden");
  });

  it("O04: administers the gateway only if that ban is over", async () => {
    const { key, userId } = await newKey({ scopes: ["admin"] });
    await setRole(userId, "admin");
    await ban(userId, end);
    expect(await isAdministrator(db, userId)).toBe(expected);
    expect((await managing(key)("GET", CLIENTS)).status).toBe(expected ? 200 : 401);
    const name = `com.example/${newWord()}`;
    const tenantId = personalTenantId(userId);
    await addServer({ tenantId, name, isMirrored: true });
    const shown = await setVisibility(db, { ...NOBODY, tenantId, userId }, name, true, now());
    expect(shown).toBe(expected ? "done" : "forbidden");
  });

  it("O04: manages sources, views, namespaces and servers of a registry only if that ban is over", async () => {
    const { owner, admin, id: organization } = await organizationOf("owner", "admin");
    const { tenantId: own } = { tenantId: personalTenantId(owner) };
    const name = `com.example/${newWord()}`;
    await addServer({ tenantId: organization, name });
    for (const userId of [owner, admin]) await ban(userId, end);
    for (const [userId, tenantId] of [
      [owner, own],
      [owner, organization],
      [admin, organization],
    ] as const) {
      const actor = { ...NOBODY, userId, tenantId };
      expect(await managesTenant(db, actor)).toBe(expected);
      expect(Array.isArray(await listSources({ db }, actor))).toBe(expected);
      expect(await findSource({ db }, actor, crypto.randomUUID())).toBe(expected ? "unknown" : "not_allowed");
      expect((await viewsOf({ db }, actor)) !== undefined).toBe(expected);
      const view = await createView({ db }, actor, { name: "Editors", addresses: null }, now());
      expect(view.state).toBe(expected ? "done" : "forbidden");
      expect((await curationOf(db, actor)).curates).toBe(expected);
    }
    const settings = { url: "https://registry.example.com", allow: [], deny: [], enabled: false, everyMinutes: 60 };
    const source = await addSource({ db }, { ...NOBODY, userId: admin, tenantId: organization }, settings, now());
    expect(source).toEqual(expected ? { id: expect.any(String) } : "not_allowed");
    const curator = { ...NOBODY, userId: admin, tenantId: organization };
    expect(await setGateway(db, curator, name, null, now())).toBe(expected ? "done" : "forbidden");
  });

  it("O04: publishes with a key or a token of the retired registry, and claims namespaces, only if that ban is over", async () => {
    const { key, userId } = await newKey({ scopes: ["mcp-registry:read", "mcp-registry:write"] });
    const namespace = await ownNamespace(personalTenantId(userId));
    const token = await newLegacyToken(userId);
    await ban(userId, end);
    expect(await isActiveUser(db, userId)).toBe(expected);
    for (const [version, asking] of [
      ["1.0.0", { key }],
      ["1.1.0", { token }],
    ] as const) {
      const answer = await publishTo(definition(`${namespace}/weather`, { version }), asking);
      expect(answer.status).toBe(expected ? 200 : 401);
    }
    const claimed = await ask("POST", "/api/v1/registry/namespaces", { namespace: `${namespace}.tools` }, { key });
    expect(claimed.status === 401).toBe(!expected);
  });

  it("O04: changes an organization and its invitations only if that ban is over", async () => {
    const { owner, admin, member, id: organizationId } = await organizationOf("owner", "admin", "member");
    const guest = await newUser();
    const wanted = { ...changedBy(owner), organizationId, email: guest.email, role: "member" } as const;
    const invited = await invite(db, wanted);
    if (invited.state !== "invited" || invited.token === null) throw new Error(invited.state);
    for (const userId of [owner, admin]) await ban(userId, end);
    const done = expected ? "done" : "unknown";
    expect(await isInvited(db, guest.email)).toBe(expected);
    expect((await findInvitation(db, invited.token)) !== null).toBe(expected);
    expect((await findOrganization(db, member, organizationId))?.members).toHaveLength(3);
    const joined = await answerInvitation(db, { token: invited.token, accept: true, ...changedBy(guest.id) });
    expect(joined).toEqual(expected ? { organizationId } : null);
    const again = await invite(db, { ...wanted, ...changedBy(admin), email: `again-${guest.email}` });
    expect(again.state).toBe(expected ? "invited" : "unknown");
    const { rows } = await db.execute<{ id: string }>(
      sql`select id from invitation where organization_id = ${organizationId} and status = 'pending'`,
    );
    expect(await cancelInvitation(db, { ...changedBy(owner), organizationId, id: rows[0]?.id ?? "" })).toBe(done);
    expect(await changeRole(db, { ...changedBy(owner), organizationId, userId: member, role: "admin" })).toBe(done);
    expect(await removeMember(db, { ...changedBy(admin), organizationId, userId: member })).toBe(done);
  });
});

/** What a condition says of each row of some values. */
async function saidOf(values: readonly (readonly (string | null)[])[], condition: SQL): Promise<unknown[]> {
  const tuples = values.map(([a = null, b = null], at) => sql`(${at}::int, ${a}::text, ${b}::text)`);
  const { rows } = await db.execute<{ says: unknown }>(
    sql`select ${condition} as says from (values ${sql.join(tuples, sql`, `)}) as t(at, a, b) order by at`,
  );
  return rows.map(({ says }) => says);
}

describe("the rules in SQL", () => {
  const pairs = ROLES.flatMap((a) => ROLES.map((b) => [a, b] as const));
  const [a, b] = [sql`t.a`, sql`t.b`];

  it("say of roles what the rules in TypeScript say", async () => {
    expect(await saidOf(pairs, ownerRoleSql(a))).toEqual(pairs.map(([role]) => isOwnerRole(role)));
    expect(await saidOf(pairs, managerRoleSql(a))).toEqual(pairs.map(([role]) => isManagerRole(role)));
    expect(await saidOf(pairs, roleSql(a))).toEqual(pairs.map(([role]) => role));
    expect(await saidOf(pairs, mayManageRoleSql(a, b))).toEqual(pairs.map(([one, two]) => mayManageRole(one, two)));
  });

  it("take the highest of several roles, and none for what is no role", async () => {
    const stored = ["member,owner", "admin, member", "member", "", null, "owners", "member,guest"].map(
      (role) => [role, null] as const,
    );
    expect(await saidOf(stored, roleSql(a))).toEqual([
      "owner",
      "admin",
      "member",
      "member",
      "member",
      "member",
      "member",
    ]);
    expect(await saidOf(stored, ownerRoleSql(a))).toEqual([true, false, false, false, false, false, false]);
    expect(await saidOf(stored, managerRoleSql(a))).toEqual([true, true, false, false, false, false, false]);
  });

  it("name personal organizations as TypeScript does", async () => {
    const ids = ["user-1", "personal-user-1", "organization-1", ""].map((id) => [id, null] as const);
    expect(await saidOf(ids, personalTenantSql(a))).toEqual(ids.map(([id]) => personalTenantId(id)));
    expect(await saidOf(ids, isPersonalTenantSql(a))).toEqual(ids.map(([id]) => isPersonalTenant(id)));
  });

  it.each(BANS)("say of somebody banned %s what the rule in TypeScript says", async (_what, end, expected) => {
    const { id } = await newUser();
    await ban(id, end);
    const { rows } = await db.execute<{ banned: boolean; banExpires: string | null; active: boolean }>(sql`
      select u.banned, to_char(u.ban_expires, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "banExpires", ${activeSql("u")} as active
      from "user" u where u.id = ${id}`);
    const [row] = rows;
    expect([row?.active, row && isActive(row, Date.now())]).toEqual([expected, expected]);
  });

  it("let a person act in and manage what is theirs, with values and with columns alike", async () => {
    const { owner, admin, member, id: organization } = await organizationOf("owner", "admin", "member");
    const stranger = (await newUser()).id;
    const [both, gone] = [(await newUser()).id, `gone-${crypto.randomUUID()}`];
    await db.execute(sql`insert into member (id, organization_id, user_id, role, created_at)
      values (${`${organization}:${both}`}, ${organization}, ${both}, 'member,admin', now() at time zone 'utc')`);
    const cases: readonly [tenantId: string, userId: string, acts: boolean, manages: boolean][] = [
      [organization, owner, true, true],
      [organization, admin, true, true],
      [organization, both, true, true],
      [organization, member, true, false],
      [organization, stranger, false, false],
      [organization, gone, false, false],
      [personalTenantId(member), member, true, true],
      [personalTenantId(member), owner, false, false],
      // Whether there is such a person is another question than where they may act.
      [personalTenantId(gone), gone, true, false],
    ];
    const rows = cases.map(([tenantId, userId]) => [tenantId, userId] as const);
    expect(await saidOf(rows, actsInSql({ tenantId: a, userId: b }))).toEqual(cases.map(([, , acts]) => acts));
    expect(await saidOf(rows, managesSql({ tenantId: a, userId: b }))).toEqual(cases.map(([, , , manages]) => manages));
    for (const [tenantId, userId, acts, manages] of cases) {
      expect(await saidOf([["", ""]], actsInSql({ tenantId, userId }))).toEqual([acts]);
      expect(await actsIn(db, userId, tenantId)).toBe(acts);
      expect(await managesTenant(db, { tenantId, userId })).toBe(manages);
    }
  });

  it("call nobody an administrator who is not there or has another role", async () => {
    const [administrator, other] = [(await newUser()).id, (await newUser()).id];
    await setRole(administrator, "admin");
    const people = [administrator, other, "nobody"].map((id) => [id, null] as const);
    expect(await saidOf(people, administersSql(a))).toEqual([true, false, false]);
  });
});

describe("a member with several roles", () => {
  it("has the highest of them", async () => {
    const { owner, member, id: organizationId } = await organizationOf("owner", "member");
    await db.execute(
      sql`update member set role = 'member,admin' where organization_id = ${organizationId} and user_id = ${member}`,
    );
    await db.execute(
      sql`update member set role = 'member, owner' where organization_id = ${organizationId} and user_id = ${owner}`,
    );
    const organization = await findOrganization(db, member, organizationId);
    expect(organization?.role).toBe("admin");
    expect(Object.fromEntries(organization?.members.map(({ userId, role }) => [userId, role]) ?? [])).toEqual({
      [owner]: "owner",
      [member]: "admin",
    });
    const guest = await newUser();
    const asking = { ...changedBy(member), organizationId, email: guest.email };
    expect((await invite(db, { ...asking, role: "owner" })).state).toBe("not_allowed");
    expect((await invite(db, { ...asking, role: "member" })).state).toBe("invited");
    expect(await removeMember(db, { ...changedBy(member), organizationId, userId: owner })).toBe("not_allowed");
    expect(await removeMember(db, { ...changedBy(owner), organizationId, userId: owner })).toBe("last_owner");
  });

  it("uses up what an owner may own", async () => {
    const { id: userId } = await newUser();
    for (let made = 0; made < 20; made++)
      await createOrganization(db, { ...changedBy(userId), name: "Example organization" });
    await db.execute(sql`
      update member set role = 'member,owner' where user_id = ${userId} and organization_id <> ${personalTenantId(userId)}`);
    expect(await createOrganization(db, { ...changedBy(userId), name: "One more" })).toBeUndefined();
  });
});
