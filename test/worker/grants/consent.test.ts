import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import {
  formBrowser,
  hiddenFields,
  leftFor,
  pageOf,
  textOf,
  type FormBrowser,
  type Page,
} from "../../support/browsing.ts";
import { db, origin } from "../../support/gateway.ts";
import {
  AUTH,
  authorize,
  authorizePath,
  newClient,
  newPerson,
  REDIRECT,
  signInAt,
  type Parameters,
  type Person,
} from "../../support/oauth.ts";

/** A person's browser at the consent page of a client. */
async function atConsent(
  clientFields: Record<string, unknown> = {},
  changed: Parameters = {},
): Promise<{ browser: FormBrowser; page: Page; person: Person; clientId: string }> {
  const [clientId, person, browser] = [await newClient(clientFields), await newPerson(), formBrowser()];
  const page = pageOf(await signInAt(browser, await browser.open(authorizePath(clientId, changed)), person));
  expect(page.url.pathname).toBe("/consent");
  return { browser, page, person, clientId };
}

const consentsOf = async (clientId: string) =>
  (await db.execute(sql`select user_id, scopes, resources from oauth_consent where client_id = ${clientId}`)).rows;

/** Whether an authorization stops at the consent page. */
async function isAskedAgain(browser: FormBrowser, clientId: string, changed: Parameters = {}): Promise<boolean> {
  const visit = await browser.open(authorizePath(clientId, changed));
  return "page" in visit && visit.page.url.pathname === "/consent";
}

describe("the consent page", () => {
  it("B08: shows the app, its id, what it asks for, where the answer goes, and that nobody has verified it", async () => {
    const { page, person, clientId } = await atConsent(
      { client_name: "Inspector" },
      { scope: "openid offline_access mcp:tools audit:read", resource: `${origin}/mcp/notes` },
    );
    const text = textOf(page.html);
    for (const part of [
      "Inspector asks to:",
      "Confirm who you are",
      "Stay connected until you disconnect it",
      "Use MCP tools on your behalf",
      "Read the audit log of your organization",
      clientId,
      "Sends you to client.example.com",
      `Access to ${origin}/mcp/notes`,
      person.email,
      "Nobody has verified this app.",
    ]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain("your computer");
  });

  it("B08: warns that a loopback address belongs to whatever program listens there", async () => {
    const uri = "http://127.0.0.1:43117/callback";
    const { page } = await atConsent({ redirect_uris: [uri] }, { redirect_uri: uri });
    expect(textOf(page.html)).toContain(
      "at 127.0.0.1:43117 , on your computer (localhost). Any program that listens there",
    );
  });

  it("B08: warns that any program can open an editor's links", async () => {
    const uri = "cursor://anysphere.cursor-mcp/oauth/callback";
    const { page } = await atConsent({ redirect_uris: [uri] }, { redirect_uri: uri });
    expect(textOf(page.html)).toContain(
      "through cursor: links. Any program on this device that opens such links gets the access",
    );
  });

  it.each([
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "Claude\u202e\u200b by Anthropic\u0007",
    "{{7*7}}${7*7}",
    "x".repeat(5_000),
  ])("Q02: shows the hostile name %j as harmless text", async (name) => {
    const { page } = await atConsent({ client_name: name });
    expect(page.html).not.toMatch(/<script|<img/i);
    for (const invisible of ["\u0007", "\u200b", "\u202e"]) expect(page.html).not.toContain(invisible);
    expect(page.html.length).toBeLessThan(20_000);
    const shown = /<strong><bdi>(.*?)<\/bdi>/.exec(page.html)?.[1] ?? "";
    expect(shown.length).toBeGreaterThan(0);
    expect(shown).not.toMatch(/[<>"]/);
  });

  it("is not shown for a request that was changed after it was checked", async () => {
    const { browser, page } = await atConsent();
    for (const [name, value] of [
      ["scope", "admin"],
      ["redirect_uri", "https://evil.example.com/"],
      ["client_id", "x"],
    ]) {
      const query = new URLSearchParams(page.url.search);
      query.set(name ?? "", value ?? "");
      expect(pageOf(await browser.open(`/consent?${query.toString()}`)).status).toBe(400);
    }
  });
});

describe("the decision", () => {
  it("R21: to allow sends the code to the registered address, and is remembered", async () => {
    const { browser, page, person, clientId } = await atConsent();
    const answer = leftFor(await browser.submit(page, "/consent", { decision: "allow" }));
    expect(`${answer.origin}${answer.pathname}`).toBe(REDIRECT);
    expect(Object.fromEntries(answer.searchParams)).toEqual({
      code: expect.stringMatching(/^\w{32}$/),
      state: "test-state",
      iss: origin,
    });
    expect(await consentsOf(clientId)).toMatchObject([{ user_id: person.id, resources: [`${origin}/mcp`] }]);
    expect(await isAskedAgain(browser, clientId)).toBe(false);
  });

  it("B06: to deny tells the client so, with state and issuer, and leaves no consent", async () => {
    const { browser, page, clientId } = await atConsent();
    const answer = leftFor(await browser.submit(page, "/consent", { decision: "deny" }));
    expect(`${answer.origin}${answer.pathname}`).toBe(REDIRECT);
    expect(Object.fromEntries(answer.searchParams)).toMatchObject({
      error: "access_denied",
      state: "test-state",
      iss: origin,
    });
    expect(answer.searchParams.has("code")).toBe(false);
    expect(await consentsOf(clientId)).toEqual([]);
  });

  it.each([
    ["from another site", { origin: "https://evil.example.com", "sec-fetch-site": "cross-site" }],
    ["from another site that hides its origin", { origin: "null", "sec-fetch-site": "cross-site" }],
    ["from another host of our site", { origin: "null", "sec-fetch-site": "same-site" }],
    ["from another port of our host", { origin: "http://localhost:9999", "sec-fetch-site": "same-site" }],
  ])("B01: %s is refused with 403, and nothing is stored", async (_from, headers) => {
    const { browser, page, clientId } = await atConsent();
    const refused = pageOf(await browser.submit(page, "/consent", { decision: "allow" }, headers));
    expect(refused.status).toBe(403);
    expect(await consentsOf(clientId)).toEqual([]);
  });

  it.each([
    ["another origin", { origin: "https://evil.example.com" }],
    ["no origin", {}],
    ["a hidden origin", { origin: "null" }],
    ["no origin, but another site", { "sec-fetch-site": "cross-site" }],
    ["our own origin", { origin }],
  ])("B01 B10: cannot be sent past the page with %s", async (_what, headers) => {
    const { browser, page, clientId } = await atConsent();
    const query = hiddenFields(page, "/consent")["oauth_query"];
    const answer = await browser.send(`${AUTH}/oauth2/consent`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(headers as Record<string, string>) },
      body: JSON.stringify({ accept: true, oauth_query: query }),
    });
    expect(answer.status).toBe(404);
    expect(await consentsOf(clientId)).toEqual([]);
  });

  it("B01: is refused without the token of the form, or with the token of another form", async () => {
    const { browser, page, clientId } = await atConsent();
    const signOut = hiddenFields(page, "/sign-out")["form"] ?? "";
    for (const token of ["", "x", signOut]) {
      const refused = await browser.submit(page, "/consent", { decision: "allow", form: token });
      expect(pageOf(refused).status).toBe(403);
    }
    expect(await consentsOf(clientId)).toEqual([]);
  });

  it("B10: of somebody else's page, or of nobody, is not taken", async () => {
    const { browser, page, clientId } = await atConsent();
    const stranger = formBrowser();
    const asked = await stranger.open(authorizePath(await newClient()));
    await signInAt(stranger, asked, await newPerson());
    expect(pageOf(await stranger.submit(page, "/consent", { decision: "allow" })).status).toBe(403);
    await browser.submit(page, "/sign-out", {});
    const late = pageOf(await browser.submit(page, "/consent", { decision: "allow" }));
    expect(late.url.pathname).toBe("/sign-in");
    expect(await consentsOf(clientId)).toEqual([]);
  });
});

describe("a remembered consent", () => {
  it("B03: does not cover another client of the same name", async () => {
    const { browser, page, person } = await atConsent({ client_name: "Inspector" });
    await browser.submit(page, "/consent", { decision: "allow" });
    const namesake = await newClient({ client_name: "Inspector" });
    expect(await isAskedAgain(browser, namesake)).toBe(true);
    expect(person.id).not.toBe("");
  });

  it("B04: covers fewer scopes, but no further scope and no other resource", async () => {
    const { browser, page, clientId } = await atConsent();
    await browser.submit(page, "/consent", { decision: "allow" });
    expect(await isAskedAgain(browser, clientId, { scope: "mcp:tools" })).toBe(false);
    expect(await isAskedAgain(browser, clientId, { scope: "mcp:tools audit:read" })).toBe(true);
    expect(await isAskedAgain(browser, clientId, { resource: `${origin}/mcp/notes` })).toBe(true);
  });

  it("B04: does not cover a client that asks for consent anew, or for a login", async () => {
    const { browser, page, person, clientId } = await atConsent();
    await browser.submit(page, "/consent", { decision: "allow" });
    expect(await isAskedAgain(browser, clientId, { prompt: "consent" })).toBe(true);
    const login = await browser.open(authorizePath(clientId, { prompt: "login" }));
    expect(pageOf(login).url.pathname).toBe("/sign-in");
    expect("leftFor" in (await signInAt(browser, login, person))).toBe(true);
  });

  it("is one person's own", async () => {
    const { browser, page, clientId } = await atConsent();
    await browser.submit(page, "/consent", { decision: "allow" });
    const other = formBrowser();
    const asked = await signInAt(other, await other.open(authorizePath(clientId)), await newPerson());
    expect(pageOf(asked).url.pathname).toBe("/consent");
  });

  it("B10: of somebody else cannot be read, changed or deleted", async () => {
    const { browser, page, clientId } = await atConsent();
    await browser.submit(page, "/consent", { decision: "allow" });
    const { rows } = await db.execute<{ id: string }>(sql`select id from oauth_consent where client_id = ${clientId}`);
    const id = rows[0]?.id;
    const stranger = formBrowser();
    await authorize(stranger, authorizePath(await newClient()), await newPerson());
    const headers = { origin, "content-type": "application/json" };
    const read = await stranger.send(`${AUTH}/oauth2/get-consent?id=${id}`);
    const remove = { method: "POST", headers, body: JSON.stringify({ id }) };
    const removed = await stranger.send(`${AUTH}/oauth2/delete-consent`, remove);
    for (const answer of [read, removed]) {
      expect([401, 403, 404]).toContain(answer.status);
      expect(await answer.text()).not.toContain(clientId);
    }
    expect(await consentsOf(clientId)).toHaveLength(1);
  });
});
