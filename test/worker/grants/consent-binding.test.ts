import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { member, organization } from "../../../src/identity/schema.ts";
import { personalTenantId } from "../../../src/identity/standing.ts";
import {
  formBrowser,
  hiddenFields,
  leftFor,
  pageOf,
  textOf,
  type FormBrowser,
  type Page,
} from "../../support/browsing.ts";
import { callTool, db, origin } from "../../support/gateway.ts";
import {
  authorizePath,
  claimsOf,
  newClient,
  newPerson,
  REDIRECT,
  redeem,
  signInAt,
  type Parameters,
  type Person,
  type Tokens,
} from "../../support/oauth.ts";

const OTHER_REDIRECT = "https://client.example.com/other";

/** A person's browser at the consent page of a client. */
async function atConsent(
  clientFields: Record<string, unknown> = {},
  changed: Parameters = {},
  person?: Person,
): Promise<{ browser: FormBrowser; page: Page; person: Person; clientId: string }> {
  const [clientId, who, browser] = [await newClient(clientFields), person ?? (await newPerson()), formBrowser()];
  const page = pageOf(await signInAt(browser, await browser.open(authorizePath(clientId, changed)), who));
  expect(page.url.pathname).toBe("/consent");
  return { browser, page, person: who, clientId };
}

/** Whether an authorization stops at the consent page. */
async function isAskedAgain(browser: FormBrowser, clientId: string, changed: Parameters = {}): Promise<boolean> {
  const visit = await browser.open(authorizePath(clientId, changed));
  return "page" in visit && visit.page.url.pathname === "/consent";
}

const consentsOf = async (clientId: string) =>
  (
    await db.execute<{ reference_id: string }>(
      sql`select reference_id from oauth_consent where client_id = ${clientId}`,
    )
  ).rows;

async function newOrganization(person: Person, name = "Organization <b>One</b>"): Promise<string> {
  const id = `organization-${crypto.randomUUID()}`;
  const createdAt = new Date();
  await db.insert(organization).values({ id, name, slug: id, createdAt });
  await db.insert(member).values({ id, organizationId: id, userId: person.id, role: "member", createdAt });
  return id;
}

const activeTenants = async (person: Person) =>
  (
    await db.execute<{ tenant: string }>(
      sql`select active_organization_id as tenant from session where user_id = ${person.id}`,
    )
  ).rows.map(({ tenant }) => tenant);

describe("a consent is for one redirect URI", () => {
  it("B04: another registered redirect URI of the same client asks again, and each is remembered by itself", async () => {
    const { browser, page, clientId } = await atConsent({ redirect_uris: [REDIRECT, OTHER_REDIRECT] });
    await browser.submit(page, "/consent", { decision: "allow" });
    expect(await isAskedAgain(browser, clientId)).toBe(false);
    const other = { redirect_uri: OTHER_REDIRECT };
    const asked = pageOf(await browser.open(authorizePath(clientId, other)));
    expect(asked.url.pathname).toBe("/consent");
    const answer = leftFor(await browser.submit(asked, "/consent", { decision: "allow" }));
    expect(`${answer.origin}${answer.pathname}`).toBe(OTHER_REDIRECT);
    expect(await isAskedAgain(browser, clientId, other)).toBe(false);
    expect(await isAskedAgain(browser, clientId)).toBe(false);
    expect(new Set((await consentsOf(clientId)).map(({ reference_id: reference }) => reference)).size).toBe(2);
  });

  it("B04: what one redirect URI may do, the other may not", async () => {
    const { browser, page, clientId } = await atConsent({ redirect_uris: [REDIRECT, OTHER_REDIRECT] });
    await browser.submit(page, "/consent", { decision: "allow" });
    const wide = { scope: "mcp:tools audit:read", redirect_uri: OTHER_REDIRECT };
    await browser.submit(pageOf(await browser.open(authorizePath(clientId, wide))), "/consent", { decision: "allow" });
    expect(await isAskedAgain(browser, clientId, { scope: "audit:read" })).toBe(true);
    expect(await isAskedAgain(browser, clientId, { ...wide, resource: `${origin}/mcp/notes` })).toBe(true);
    expect(await isAskedAgain(browser, clientId, wide)).toBe(false);
  });

  it("B04: a loopback redirect counts without its port, which a native app cannot choose", async () => {
    const at = (port: number, path = "/callback") => ({ redirect_uri: `http://127.0.0.1:${port}${path}` });
    const fields = { redirect_uris: [at(40_001).redirect_uri, at(40_001, "/other").redirect_uri] };
    const { browser, page, clientId } = await atConsent(fields, at(40_001));
    await browser.submit(page, "/consent", { decision: "allow" });
    expect(await isAskedAgain(browser, clientId, at(40_002))).toBe(false);
    expect(await isAskedAgain(browser, clientId, at(40_002, "/other"))).toBe(true);
  });

  it("a consent from before redirect URIs counted covers no new authorization, and its grants go on", async () => {
    const { browser, page, clientId, person } = await atConsent();
    const code = leftFor(await browser.submit(page, "/consent", { decision: "allow" })).searchParams.get("code") ?? "";
    const { access_token: token } = await (await redeem(clientId, code)).json<Tokens>();
    const old = personalTenantId(person.id);
    await db.execute(sql`update oauth_consent set reference_id = ${old} where client_id = ${clientId}`);
    expect(await isAskedAgain(browser, clientId)).toBe(true);
    expect((await callTool("whoami", {}, { token })).status).toBe(200);
  });
});

describe("a consent is for one tenant", () => {
  it("the page says that the app acts in the personal organization, and there is nothing to choose", async () => {
    const { browser, page, person, clientId } = await atConsent();
    expect(textOf(page.html)).toContain("Organization Personal");
    expect(page.html).not.toContain('type="radio"');
    expect(hiddenFields(page, "/consent")["tenant"]).toBe(person.tenantId);
    const answer = leftFor(await browser.submit(page, "/consent", { decision: "allow" }));
    const tokens = await (await redeem(clientId, answer.searchParams.get("code") ?? "")).json<Tokens>();
    expect(claimsOf(tokens.access_token)["tenant"]).toBe(person.tenantId);
  });

  it("a member of several chooses one, and the app acts there", async () => {
    const person = await newPerson();
    const tenantId = await newOrganization(person);
    const { browser, page, clientId } = await atConsent({}, {}, person);
    const choices = [...page.html.matchAll(/<input type="radio" name="tenant" value="([^"]*)"( checked="")?/g)];
    expect(choices.map(([, value, checked]) => [value, checked !== undefined])).toEqual([
      [person.tenantId, true],
      [tenantId, false],
    ]);
    expect(page.html).toContain("<bdi>Organization &lt;b&gt;One&lt;/b&gt;</bdi>");
    const answer = leftFor(await browser.submit(page, "/consent", { decision: "allow", tenant: tenantId }));
    const tokens = await (await redeem(clientId, answer.searchParams.get("code") ?? "")).json<Tokens>();
    const who = await callTool("whoami", {}, { token: tokens.access_token });
    expect(who.result?.structuredContent).toMatchObject({ userId: person.id, tenantId });
    expect(await activeTenants(person)).toEqual([tenantId]);
    expect(await isAskedAgain(browser, clientId)).toBe(false);
  });

  it("B04: a consent for one tenant covers no other, and choosing another one works beside it", async () => {
    const person = await newPerson();
    const tenantId = await newOrganization(person);
    const { browser, page, clientId } = await atConsent({}, {}, person);
    await browser.submit(page, "/consent", { decision: "allow", tenant: person.tenantId });
    const again = pageOf(await browser.open(authorizePath(clientId, { prompt: "consent" })));
    const answer = leftFor(await browser.submit(again, "/consent", { decision: "allow", tenant: tenantId }));
    const tokens = await (await redeem(clientId, answer.searchParams.get("code") ?? "")).json<Tokens>();
    expect(claimsOf(tokens.access_token)["tenant"]).toBe(tenantId);
    const tenants = (await consentsOf(clientId)).map(({ reference_id: reference }) => reference.split("#")[0] ?? "");
    expect(tenants.toSorted()).toEqual([person.tenantId, tenantId].toSorted());
  });

  it.each(["a stranger's", "no"])("O03: %s tenant is refused alike, and nothing changes", async (whose) => {
    const { browser, page, person, clientId } = await atConsent();
    const tenant = whose === "no" ? "no-such-tenant" : (await newPerson()).tenantId;
    const refused = pageOf(await browser.submit(page, "/consent", { decision: "allow", tenant }));
    expect(refused.status).toBe(403);
    expect(textOf(refused.html)).toContain("You are not a member of this organization");
    expect(refused.html).not.toContain(tenant);
    expect(await consentsOf(clientId)).toEqual([]);
    expect(await activeTenants(person)).toEqual([person.tenantId]);
    const chosen = await browser.submit(page, "/consent", { decision: "allow" });
    expect(leftFor(chosen).searchParams.has("code")).toBe(true);
  });

  it("O03: a tenant that the person has left is not granted for, even while it is the active one", async () => {
    const person = await newPerson();
    const tenantId = await newOrganization(person);
    const { browser, page, clientId } = await atConsent({}, {}, person);
    await browser.submit(page, "/consent", { decision: "allow", tenant: tenantId });
    await db.execute(sql`delete from member where organization_id = ${tenantId}`);
    const asked = pageOf(await browser.open(authorizePath(clientId)));
    expect(textOf(asked.html)).toContain("Organization Personal");
    const answer = leftFor(await browser.submit(asked, "/consent", { decision: "allow" }));
    const tokens = await (await redeem(clientId, answer.searchParams.get("code") ?? "")).json<Tokens>();
    expect(claimsOf(tokens.access_token)["tenant"]).toBe(person.tenantId);
  });

  it("to deny changes no tenant", async () => {
    const person = await newPerson();
    const tenantId = await newOrganization(person);
    const { browser, page, clientId } = await atConsent({}, {}, person);
    const answer = leftFor(await browser.submit(page, "/consent", { decision: "deny", tenant: tenantId }));
    expect(answer.searchParams.get("error")).toBe("access_denied");
    expect(await activeTenants(person)).toEqual([person.tenantId]);
    expect(await consentsOf(clientId)).toEqual([]);
  });
});
