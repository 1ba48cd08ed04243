import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { personalTenantId } from "../../../src/identity/standing.ts";
import { sha256 } from "../../../src/platform/crypto.ts";
import { endAccount } from "../../../src/auth/account/end.ts";
import { changedBy } from "../../support/accounts.ts";
import { entriesAbout, entriesOfTenant, type Entry } from "../../support/audit-entries.ts";
import { formBrowser, leftFor, pageOf } from "../../support/browsing.ts";
import { appsPage, browserOf, disconnect } from "../../support/dashboard.ts";
import { ageRedemption, decide, newDeviceClient, poll, pollError, start } from "../../support/device.ts";
import { db, newUser, origin } from "../../support/gateway.ts";
import { CLIENTS, managing, newAdministrator, newManagedClient } from "../../support/managed-clients.ts";
import {
  AUTH,
  authorizePath,
  codeFor,
  gatewayWith,
  json,
  newClient,
  newPerson,
  postForm,
  redeem,
  refresh,
  signInAt,
  tokensFor,
  type Tokens,
} from "../../support/oauth.ts";
import {
  act,
  added,
  answer,
  formTokens,
  invitedLink,
  newMember,
  newOrganization,
} from "../../support/organizations.ts";

const inShort = ({ event, detail }: Entry) =>
  [event, detail["reason"] ?? detail["role"]].filter((part) => typeof part === "string").join(" ");

/** Who did it, by what, and to what. */
const whoDid = ({ user_id: user, credential_kind: kind, target }: Entry) => [user, kind, target];

describe("R11: the audit log of what apps may do", () => {
  it("R11: says which client came, what a person allowed it and did not, and when that was taken back", async () => {
    const [person, clientId] = [await newPerson(), await newClient()];
    const browser = formBrowser();
    const login = await browser.open(authorizePath(clientId));
    const consent = pageOf(await signInAt(browser, login, person));
    expect(leftFor(await browser.submit(consent, "/consent", { decision: "deny" })).searchParams.get("error")).toBe(
      "access_denied",
    );
    await redeem(clientId, await codeFor(clientId, person, {}, browser));
    await disconnect(browser, await appsPage(browser));

    const [registered] = await entriesAbout(clientId, 4);
    expect(registered).toMatchObject({ event: "client.registered", tenant_id: null, user_id: null });
    const entries = await entriesOfTenant(person.tenantId, 3);
    expect(entries.map(inShort)).toEqual(["consent.denied", "consent.given", "app.disconnected"]);
    for (const entry of entries) expect(whoDid(entry)).toEqual([person.id, "session", clientId]);
    expect(entries[1]?.detail["scopes"]).toContain("mcp:tools");
    expect(entries[2]).toMatchObject({ request_id: expect.stringMatching(/^[\w-]{36}$/), ip: expect.any(String) });
  });

  it("R11: C10: G04: says once that a grant ended because a code or a refresh token came again", async () => {
    const [person, clientId] = [await newPerson(), await newClient()];
    const code = await codeFor(clientId, person);
    await redeem(clientId, code);
    for (const _ of [1, 2]) expect((await redeem(clientId, code)).status).toBe(400);
    const tokens = await tokensFor(clientId, person);
    expect((await refresh(clientId, tokens.refresh_token)).status).toBe(200);
    await db.execute(sql`
      update refresh_lock set answered_at = answered_at - interval '31 seconds'
      where token_hash = ${await sha256(tokens.refresh_token)}`);
    for (const _ of [1, 2]) expect((await refresh(clientId, tokens.refresh_token)).status).toBe(400);
    expect((await redeem(clientId, "a".repeat(32))).status).toBe(400);

    const ended = (await entriesOfTenant(person.tenantId, 3)).filter(({ event }) => event === "grant.ended");
    expect(ended.map(({ detail }) => detail)).toEqual([
      { reason: "code_replayed", grant: await sha256(code), person: person.id },
      { reason: "refresh_token_replayed", grant: expect.any(String), person: person.id },
    ]);
    for (const entry of ended) expect(whoDid(entry)).toEqual([null, null, clientId]);
    expect(JSON.stringify(ended)).not.toContain(tokens.refresh_token);
  });

  it("R11: C17: says that an app has revoked its token, and nothing of a grant that a person ended before", async () => {
    const [person, clientId] = [await newPerson(), await newClient()];
    const [first, second] = [await tokensFor(clientId, person), await tokensFor(clientId, person)];
    const revoke = (token: string) => postForm(`${AUTH}/oauth2/revoke`, { client_id: clientId, token });
    for (const _ of [1, 2]) expect((await revoke(first.refresh_token)).status).toBe(200);
    const browser = await browserOf(person);
    await disconnect(browser, await appsPage(browser));
    expect((await refresh(clientId, second.refresh_token)).status).toBe(400);
    await revoke(second.refresh_token);

    const entries = (await entriesOfTenant(person.tenantId, 3)).filter(({ event }) => event !== "consent.given");
    expect(entries.map(inShort)).toEqual(["token.revoked revoked_by_client", "app.disconnected"]);
    expect(entries[0]).toMatchObject({ client_id: clientId, user_id: null, target: clientId });
  });

  it("R11: says the same of devices", async () => {
    const [person, clientId] = [await newPerson(), await newDeviceClient()];
    const [refused, allowed] = [await start(clientId), await start(clientId)];
    await decide(refused.user_code, person, "deny");
    await decide(allowed.user_code, person);
    await (await poll(clientId, allowed.device_code)).json<Tokens>();
    await ageRedemption(allowed.device_code, 11);
    for (const _ of [1, 2]) expect(await pollError(clientId, allowed.device_code)).toMatchObject({ status: 400 });

    const entries = await entriesOfTenant(person.tenantId, 3);
    expect(entries.map(inShort)).toEqual(["consent.denied", "consent.given", "grant.ended device_code_replayed"]);
    for (const entry of entries.slice(0, 2)) {
      expect(whoDid(entry)).toEqual([person.id, "session", clientId]);
      expect(entry.detail["device"]).toBe(true);
    }
  });
});

describe("R11: the audit log of an organization", () => {
  it("R11: says who was invited, came, was given another role, was removed and left", async () => {
    const owner = await newMember();
    await formTokens(owner);
    const organization = await newOrganization(owner);
    const [member, guest] = [await added(owner, organization), await newMember()];
    await act(owner, organization, "role", { member: member.person.id, role: "admin" });
    await act(owner, organization, "role", { member: member.person.id, role: "admin" });
    await answer(guest, await invitedLink(owner, organization, guest.person.email), "decline");
    await act(owner, organization, "invite", { email: `${organization}@example.com`, role: "admin" });
    const { rows } = await db.execute<{ id: string }>(
      sql`select id from invitation where organization_id = ${organization} and status = 'pending'`,
    );
    await act(member, organization, "cancel", { invitation: rows[0]?.id ?? "" });
    const leaving = await added(owner, organization);
    await act(leaving, organization, "remove", { member: leaving.person.id });
    await act(owner, organization, "remove", { member: member.person.id });

    const entries = await entriesOfTenant(organization, 12);
    expect(entries.map(inShort)).toEqual([
      "organization.created",
      "invitation.sent member",
      "invitation.accepted member",
      "member.role_changed admin",
      "invitation.sent member",
      "invitation.declined member",
      "invitation.sent admin",
      "invitation.withdrawn",
      "invitation.sent member",
      "invitation.accepted member",
      "member.left",
      "member.removed",
    ]);
    const people = entries.map(({ user_id: user }) => user);
    const [own, theirs] = [owner.person.id, member.person.id];
    const leaver = leaving.person.id;
    expect(people).toEqual([own, own, theirs, own, own, guest.person.id, own, theirs, own, leaver, leaver, own]);
    expect(entries.map(({ credential_kind: kind }) => kind)).toEqual(entries.map(() => "session"));
    expect([entries[3]?.target, entries[10]?.target, entries[11]?.target]).toEqual([theirs, leaver, theirs]);
    // Addresses are personal data, and whoever holds the hash of a link holds no link.
    expect(JSON.stringify(entries)).not.toContain("@example.com");
  });

  it("R11: says that it ended with its last member's account, and what the apps of a member lost with the membership", async () => {
    const owner = await newMember();
    await formTokens(owner);
    const organization = await newOrganization(owner);
    const member = await added(owner, organization);
    const clientId = await newClient();
    await db.execute(sql`
      insert into oauth_consent (id, client_id, user_id, reference_id, scopes, created_at, updated_at)
      values (${crypto.randomUUID()}, ${clientId}, ${member.person.id}, ${organization}, '{mcp:tools}', now(), now())`);
    await act(owner, organization, "remove", { member: member.person.id });
    await endAccount(db, owner.person.id, changedBy(owner.person.id));
    const entries = await entriesOfTenant(organization, 6);
    expect(entries.slice(3).map(inShort)).toEqual(["member.removed", "app.disconnected left", "organization.deleted"]);
    expect(entries[4]).toMatchObject({ target: clientId, detail: { person: member.person.id } });
  });
});

describe("R11: the audit log of what administrators do", () => {
  it("R11: D12: says who created, changed, disabled and deleted a client, and replaced its secret", async () => {
    const { tenantId } = await newUser();
    const administrator = await newAdministrator();
    const api = managing(administrator.key);
    const made = await json(
      await api("POST", CLIENTS, { name: "Nightly job", clientCredentialsScopes: ["mcp:tools"], tenantId }),
    );
    const path = `${CLIENTS}/${String(made["clientId"])}`;
    await api("PATCH", path, { name: "Daily job" });
    await api("PATCH", path, { disabled: true, name: "Job" });
    await api("PATCH", path, { disabled: false });
    await api("PATCH", path, { tenantId: "there is no such organization" });
    await api("POST", `${path}/secret`);
    await api("DELETE", path);
    await api("DELETE", path);

    const entries = await entriesOfTenant(tenantId, 6);
    expect(entries.map(({ event, detail }) => [event, detail])).toEqual([
      ["client.created", { name: "Nightly job" }],
      ["client.changed", { fields: "name" }],
      ["client.disabled", { fields: "disabled name" }],
      ["client.enabled", { fields: "disabled" }],
      ["client.secret_rotated", { fields: "" }],
      ["client.deleted", {}],
    ]);
    for (const entry of entries) expect(whoDid(entry)).toEqual([administrator.id, "api_key", made["clientId"]]);
    const other = await newManagedClient({ resources: [`${origin}/mcp/notes`] });
    expect((await entriesAbout(other.clientId, 1))[0]).toMatchObject({ event: "client.created", tenant_id: null });
  });

  it("R11: says whom they banned, gave a role, signed out or acted for, and what people do to keys there", async () => {
    const [admin, person] = [await newPerson(), await newPerson()];
    const gateway = gatewayWith({ ADMIN_EMAILS: admin.email });
    const browser = formBrowser(gateway);
    await signInAt(browser, await browser.open("/sign-in"), admin);
    const post = async (path: string, body: object) => {
      const headers = { "content-type": "application/json", origin };
      const sent = await browser.send(`${AUTH}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
      return [sent.status, await sent.json<Record<string, unknown>>()] as const;
    };
    const userId = person.id;
    for (const [path, body] of [
      ["ban-user", { userId, banReason: "<b>a reason</b>", banExpiresIn: 3600 }],
      ["unban-user", { userId }],
      ["set-role", { userId, role: "user" }],
      ["update-user", { userId, data: { name: "Another Name" } }],
      ["set-user-password", { userId, newPassword: "another horse battery" }],
      ["revoke-user-sessions", { userId }],
    ] as const)
      expect([path, (await post(`/admin/${path}`, body))[0]]).toEqual([path, 200]);
    expect((await post("/admin/ban-user", { userId: "nobody" }))[0]).not.toBe(200);
    const [status, key] = await post("/api-key/create", { name: "Laptop" });
    expect(status).toBe(200);
    for (const [path, body] of [
      ["update", { keyId: key["id"], name: "Desk" }],
      ["delete", { keyId: key["id"] }],
    ] as const)
      expect([path, (await post(`/api-key/${path}`, body))[0]]).toEqual([path, 200]);
    expect((await post("/admin/impersonate-user", { userId }))[0]).toBe(200);

    const entries = await entriesOfTenant(personalTenantId(userId), 7);
    expect(entries.map(({ event, detail }) => [event, detail])).toEqual([
      ["user.banned", { seconds: 3600 }],
      ["user.unbanned", {}],
      ["user.role_changed", { role: "user" }],
      ["user.changed", { fields: "name" }],
      ["user.password_set", {}],
      ["user.sessions_ended", {}],
      ["user.impersonated", {}],
    ]);
    for (const entry of entries) expect(whoDid(entry)).toEqual([admin.id, "session", userId]);
    const keys = await entriesOfTenant(personalTenantId(admin.id), 3);
    expect(keys.map(({ event }) => event)).toEqual(["key.created", "key.changed", "key.revoked"]);
    for (const entry of keys) expect(whoDid(entry)).toEqual([admin.id, "session", key["id"]]);
    expect(JSON.stringify([...entries, ...keys])).not.toMatch(/horse|reason|mrg_live/);
  });
});
