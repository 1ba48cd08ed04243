import { sql } from "drizzle-orm";
import { beforeEach, describe, expect, it } from "vitest";
import { leftFor, pageOf, textOf } from "../../support/browsing.ts";
import { browserOf, whoami } from "../../support/dashboard.ts";
import { db, origin, withFault } from "../../support/gateway.ts";
import {
  authorizePath,
  claimsOf,
  json,
  newClient,
  redeem,
  refresh,
  tokensFor,
  type Person,
  type Tokens,
} from "../../support/oauth.ts";
import {
  act,
  added,
  formTokens,
  newMember,
  newOrganization,
  rolesIn,
  type Member,
} from "../../support/organizations.ts";

let owner: Member;
let organization: string;
beforeEach(async () => {
  owner = await newMember();
  organization = await newOrganization(owner);
});

/** A code with which an app may act in the organization. */
async function codeIn(clientId: string, person: Person, tenant: string): Promise<string> {
  const browser = await browserOf(person);
  const consent = pageOf(await browser.open(authorizePath(clientId)));
  const back = leftFor(await browser.submit(consent, "/consent", { decision: "allow", tenant }));
  return back.searchParams.get("code") ?? "";
}

async function tokensIn(clientId: string, person: Person, tenant: string): Promise<Tokens> {
  const tokens = await (await redeem(clientId, await codeIn(clientId, person, tenant))).json<Tokens>();
  expect(claimsOf(tokens.access_token)["tenant"]).toBe(tenant);
  expect(await whoami(tokens.access_token)).toBe(200);
  return tokens;
}

const consentsIn = async (tenant: string) =>
  (await db.execute(sql`select user_id from oauth_consent where reference_id like ${`${tenant}%`}`)).rows;

const WAYS = [
  ["removed", (member: Member) => act(owner, organization, "remove", { member: member.person.id })],
  ["gone", (member: Member) => act(member, organization, "remove", { member: member.person.id })],
] as const;

describe.each(WAYS)("somebody who is %s from an organization", (_, goes) => {
  it("O04: has no app any more that acts in it, at once, and all others", async () => {
    const { person, ...member } = await added(owner, organization);
    const [clientId, elsewhere] = [await newClient(), await newClient()];
    const [inOrganization, ofOwner] = [
      await tokensIn(clientId, person, organization),
      await tokensIn(clientId, owner.person, organization),
    ];
    const own = await tokensFor(elsewhere, person);
    expect((await goes({ person, ...member })).status).toBe(200);
    expect(await whoami(inOrganization.access_token)).toBe(401);
    expect(await json(await refresh(clientId, inOrganization.refresh_token))).toMatchObject({ error: "invalid_grant" });
    expect(await consentsIn(organization)).toEqual([{ user_id: owner.person.id }]);
    expect(await whoami(own.access_token)).toBe(200);
    expect((await refresh(elsewhere, own.refresh_token)).status).toBe(200);
    expect(await whoami(ofOwner.access_token)).toBe(200);
  });

  it("O04: gets no tokens for a code that was on its way", async () => {
    const member = await added(owner, organization);
    const clientId = await newClient();
    const code = await codeIn(clientId, member.person, organization);
    await goes(member);
    const refused = await redeem(clientId, code);
    expect(refused.status).toBe(400);
    expect(await json(refused)).toMatchObject({ error: "invalid_grant" });
  });

  it("O04: finds the session that was in it in their own tenant again", async () => {
    const member = await added(owner, organization);
    const send = () =>
      member.browser.send("/api/auth/organization/set-active", {
        method: "POST",
        headers: { "content-type": "application/json", origin },
        body: JSON.stringify({ organizationId: organization }),
      });
    expect((await send()).status).toBe(200);
    await goes(member);
    const clientId = await newClient();
    const consent = pageOf(await member.browser.open(authorizePath(clientId)));
    const [, tenant = ""] = /name="tenant" value="([^"]+)"(?: checked|\/>)/.exec(consent.html) ?? [];
    const back = leftFor(await member.browser.submit(consent, "/consent", { decision: "allow", tenant }));
    const tokens = await (await redeem(clientId, back.searchParams.get("code") ?? "")).json<Tokens>();
    expect(claimsOf(tokens.access_token)["tenant"]).toBe(member.person.tenantId);
    expect((await send()).status).toBe(403);
  });

  it.each(["reset-before", "reset-after-commit", "500"])(
    "O04: is told to try again when Redis fails (%s), and the same form sent again finishes it",
    async (mode) => {
      const member = await added(owner, organization);
      const clientId = await newClient();
      const tokens = await tokensIn(clientId, member.person, organization);
      await Promise.all([formTokens(owner), formTokens(member)]);
      const failed = await withFault({ upstash: { mode, nth: 2 } }, () => goes(member));
      expect([failed.status, failed.headers.has("retry-after")]).toEqual([503, true]);
      expect(textOf(failed.html)).toContain("Reload this page to end it now.");
      expect(Object.keys(await rolesIn(organization))).toEqual([owner.person.id]);
      expect((await refresh(clientId, tokens.refresh_token)).status).toBe(400);
      await goes(member);
      expect(await whoami(tokens.access_token)).toBe(401);
    },
  );

  it("O04: while Postgres fails nothing has changed, and the next try works", async () => {
    const member = await added(owner, organization);
    const tokens = await tokensIn(await newClient(), member.person, organization);
    await Promise.all([formTokens(owner), formTokens(member)]);
    expect((await withFault({ neon: { mode: "down" } }, () => goes(member))).status).toBe(503);
    expect((await rolesIn(organization))[member.person.id]).toBe("member");
    expect(await whoami(tokens.access_token)).toBe(200);
    await goes(member);
    expect(await whoami(tokens.access_token)).toBe(401);
  });
});
