import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { pageOf, type FormBrowser } from "../../support/browsing.ts";
import { whoami } from "../../support/dashboard.ts";
import { db, newKey } from "../../support/gateway.ts";
import { form, newClient, tokensFor } from "../../support/oauth.ts";
import {
  act,
  added,
  formTokens,
  invitedLink,
  newMember,
  newOrganization,
  OWN_FORM,
  rolesIn,
  organizationPage,
  ORGANIZATIONS,
  type Member,
} from "../../support/organizations.ts";

let owner: Member;
let organization: string;
beforeEach(async () => {
  owner = await newMember();
  organization = await newOrganization(owner);
});

describe("the pages of organizations", () => {
  it("O01 O03: take an id as it is: no other's, no personal one, no list, no spaces", async () => {
    const stranger = await newMember();
    const missing = await organizationPage(stranger.browser, `organization-${crypto.randomUUID()}`);
    const foreign = await organizationPage(stranger.browser, organization);
    expect([foreign.status, missing.status]).toEqual([404, 404]);
    expect(foreign.html.replace(/nonce="[^"]*"/g, "")).toBe(missing.html.replace(/nonce="[^"]*"/g, ""));
    const ids = [
      "%20",
      `${organization}%20`,
      `%20${organization}`,
      `${organization}%00`,
      "a[]=b",
      organization.toUpperCase(),
      `personal-${owner.person.id}`,
    ];
    for (const id of ids) expect([id, (await owner.browser.send(`${ORGANIZATIONS}/${id}`)).status]).toEqual([id, 404]);
    const polluted = await stranger.browser.send(
      `${ORGANIZATIONS}/${organization}?organization=${organization}&organization[]=${organization}`,
    );
    expect(polluted.status).toBe(404);
  });

  it("O03: take a member or invitation of another organization for a missing one", async () => {
    const [other, member] = [await newMember(), await newMember()];
    const foreign = await newOrganization(other);
    await invitedLink(other, foreign, member.person.email);
    const { rows } = await db.execute<{ id: string }>(
      sql`select id from invitation where organization_id = ${foreign}`,
    );
    expect((await act(owner, organization, "cancel", { invitation: rows[0]?.id ?? "" })).status).toBe(404);
    expect((await act(owner, organization, "role", { member: other.person.id, role: "member" })).status).toBe(404);
    expect((await act(owner, organization, "remove", { member: other.person.id })).status).toBe(404);
    expect(await rolesIn(foreign)).toEqual({ [other.person.id]: "owner" });
    expect((await organizationPage(other.browser, foreign)).html).toContain(member.person.email);
  });

  it("O04: end nothing of a personal tenant, whoever asks", async () => {
    const tokens = await tokensFor(await newClient(), owner.person);
    const own = `personal-${owner.person.id}`;
    expect((await act(owner, own, "remove", { member: owner.person.id })).status).toBe(404);
    const stranger = await newMember();
    expect((await act(stranger, own, "remove", { member: owner.person.id })).status).toBe(404);
    expect(await whoami(tokens.access_token)).toBe(200);
    expect(await rolesIn(own)).toEqual({ [owner.person.id]: "owner" });
  });

  it("O01: let in who they are for, and nobody else, at every address", async () => {
    const [member, admin, stranger, invited] = [
      await added(owner, organization),
      await newMember(),
      await newMember(),
      await newMember(),
    ];
    const elsewhere = await newOrganization(await newMember());
    await db.execute(sql`
      insert into member (id, organization_id, user_id, role, created_at)
      values (${`${elsewhere}:${admin.person.id}`}, ${elsewhere}, ${admin.person.id}, 'admin', now())`);
    const link = await invitedLink(owner, organization, invited.person.email);
    const { rows } = await db.execute<{ id: string }>(
      sql`select id from invitation where organization_id = ${organization} and status = 'pending'`,
    );
    const [{ id: invitation } = { id: "" }] = rows;
    // A browser that had a session: its form tokens are still good, and must not be enough.
    const left = await newMember();
    await formTokens(left);
    const invite = await inviteToken(left.browser, link);
    for (const name of left.browser.cookies.keys()) if (name.includes("session")) left.browser.cookies.delete(name);
    const { key } = await newKey();
    const { access_token: token } = await tokensFor(await newClient(), stranger.person);

    const callers: [string, Member, Record<string, string>][] = [
      ["anonymous", left, {}],
      ["key", left, { "x-api-key": key }],
      ["key as a token", left, { authorization: `Bearer ${key}` }],
      ["access token", left, { authorization: `Bearer ${token}` }],
      ["stranger", stranger, {}],
      ["administrator elsewhere", admin, {}],
      ["member", member, {}],
    ];
    const target = owner.person.id;
    const seen: Record<string, number[]> = {};
    for (const [name, caller, headers] of callers) {
      const tokens = await formTokens(caller);
      const post = (path: string, fields: Record<string, string>) => ({ path, fields });
      const requests = [
        { path: `${ORGANIZATIONS}/${organization}` },
        post(`${ORGANIZATIONS}/${organization}/role`, { form: tokens.role, member: target, role: "member" }),
        post(`${ORGANIZATIONS}/${organization}/remove`, { form: tokens.remove, member: target }),
        post(`${ORGANIZATIONS}/${organization}/invite`, {
          form: tokens.invite,
          email: "more@example.com",
          role: "member",
        }),
        post(`${ORGANIZATIONS}/${organization}/cancel`, { form: tokens.cancel, invitation }),
        post("/invite", {
          form: caller === left ? invite : await inviteToken(caller.browser, link),
          token: link.split("/").at(-1) ?? "",
          decision: "accept",
        }),
      ];
      seen[name] = [];
      for (const { path, ...sent } of requests) {
        const init =
          "fields" in sent
            ? {
                method: "POST",
                body: form(sent.fields),
                headers: { ...OWN_FORM, ...headers, "content-type": "application/x-www-form-urlencoded" },
              }
            : { headers };
        seen[name].push((await caller.browser.send(path, init)).status);
      }
    }
    const login = [303, 303, 303, 303, 303, 200];
    const missing = [404, 404, 404, 404, 404, 403];
    expect(seen).toEqual({
      anonymous: login,
      key: login,
      "key as a token": login,
      "access token": login,
      stranger: missing,
      "administrator elsewhere": missing,
      member: [200, 403, 403, 403, 404, 403],
    });
    expect(await rolesIn(organization)).toEqual({ [owner.person.id]: "owner", [member.person.id]: "member" });
    expect(await organizationsOf(left.browser)).toBe(303);
    const page = await organizationPage(owner.browser, organization);
    expect(page.html).toContain(invited.person.email);
    expect(page.html).not.toContain("more@example.com");
  });

  it("take no form for another purpose or browser, and none without a token", async () => {
    const member = await added(owner, organization);
    const tokens = await formTokens(owner);
    const fields = { member: member.person.id, role: "admin" };
    for (const [action, token] of [
      ["role", tokens.remove],
      ["remove", tokens.role],
      ["role", ""],
      ["role", (await formTokens(member)).role],
    ] as const) {
      const refused = await owner.browser.post(
        `${ORGANIZATIONS}/${organization}/${action}`,
        { ...fields, form: token },
        OWN_FORM,
      );
      expect(pageOf(refused).status).toBe(403);
    }
    expect((await rolesIn(organization))[member.person.id]).toBe("member");
  });
});

async function inviteToken(browser: FormBrowser, link: string): Promise<string> {
  const { html } = pageOf(await browser.open(link));
  return /action="\/invite"[^>]*><input type="hidden" name="form" value="([^"]+)"/.exec(html)?.[1] ?? "";
}

const organizationsOf = async (browser: FormBrowser) => (await browser.send(ORGANIZATIONS)).status;
