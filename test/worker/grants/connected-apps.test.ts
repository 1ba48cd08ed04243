import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { formBrowser, hiddenFields, pageOf, textOf, type Page } from "../../support/browsing.ts";
import { APPS, appsPage, browserOf, disconnect, DISCONNECT, whoami } from "../../support/dashboard.ts";
import { db } from "../../support/gateway.ts";
import {
  authorizePath,
  claimsOf,
  codeFor,
  json,
  newClient,
  newPerson,
  REDIRECT,
  redeem,
  refresh,
  tokensFor,
  type Tokens,
} from "../../support/oauth.ts";

/** The cards of the page, one for each connected app. */
const cardsOf = (page: Page): string[] => page.html.split("<article ").slice(1);

const consentsOf = async (clientId: string) =>
  (await db.execute(sql`select user_id from oauth_consent where client_id = ${clientId}`)).rows;

describe("connected apps", () => {
  it("shows each app with what it may do, where it runs and acts, and since when", async () => {
    const person = await newPerson();
    const clientId = await newClient({ client_name: "Inspector <img src=x>" });
    await tokensFor(clientId, person, { scope: "openid offline_access mcp:tools audit:read" });
    await tokensFor(clientId, person);
    const page = await appsPage(await browserOf(person));
    expect(cardsOf(page)).toHaveLength(1);
    for (const part of [
      "Inspector <img src=x>",
      clientId,
      "Runs at client.example.com",
      "Organization Personal",
      "Use MCP tools on your behalf",
      "Read the audit log of your organization",
      `Access to ${new URL("/mcp", page.url).href}`,
      "signed in 2 times",
    ]) {
      expect(textOf(page.html)).toContain(part);
    }
    expect(page.html).not.toContain("<img");
    const year = String(new Date().getUTCFullYear());
    expect(textOf(page.html)).toMatch(
      new RegExp(`Connected \\d+ \\w+ ${year}, \\d\\d:\\d\\d UTC Last used \\d+ \\w+ ${year}`),
    );
  });

  it("shows an app without refresh tokens too, an empty page to who has none, and to nobody somebody else's", async () => {
    const [person, other] = [await newPerson(), await newPerson()];
    const clientId = await newClient({ grant_types: ["authorization_code"] });
    await tokensFor(clientId, person, { scope: "mcp:tools" });
    const page = await appsPage(await browserOf(person));
    expect(textOf(page.html)).toContain("Not signed in now");
    const empty = await appsPage(await browserOf(other));
    expect(textOf(empty.html)).toContain("No apps are connected.");
    expect(empty.html).not.toContain(clientId);
  });

  it("are for people who are signed in: others come back after the login", async () => {
    const person = await newPerson();
    const browser = formBrowser();
    const login = pageOf(await browser.open("/dashboard"));
    for (const { headers } of browser.answers) expect(headers.get("content-security-policy")).toContain("default-src");
    expect(`${login.url.pathname}${login.url.search}`).toBe("/sign-in?next=%2Fdashboard%2Fapps");
    const page = pageOf(await browser.submit(login, "/sign-in", { email: person.email, password: "wrong password" }));
    const back = await browser.submit(page, "/sign-in", { email: person.email, password: "correct horse battery" });
    expect(pageOf(back).url.pathname).toBe(APPS);
  });
});

describe("an app that is disconnected", () => {
  it("B11: has no consent, no refresh token and no access token that works, at once", async () => {
    const person = await newPerson();
    const clientId = await newClient();
    const first = await tokensFor(clientId, person);
    const second = await tokensFor(clientId, person);
    const renewed = await (await refresh(clientId, second.refresh_token)).json<Tokens>();
    const browser = await browserOf(person);
    const page = await disconnect(browser, await appsPage(browser));
    expect([page.url.pathname, textOf(page.html)]).toEqual([
      APPS,
      expect.stringContaining("The app was disconnected."),
    ]);
    expect(textOf(page.html)).toContain("No apps are connected.");
    for (const token of [first, second, renewed]) expect(await whoami(token.access_token)).toBe(401);
    for (const token of [first, renewed]) {
      const refused = await refresh(clientId, token.refresh_token);
      expect([refused.status, await json(refused)]).toMatchObject([400, { error: "invalid_grant" }]);
    }
    expect(await consentsOf(clientId)).toEqual([]);
    expect(pageOf(await browser.open(authorizePath(clientId))).url.pathname).toBe("/consent");
  });

  it("B11: loses access tokens that came without a refresh token, too", async () => {
    const person = await newPerson();
    const clientId = await newClient({ grant_types: ["authorization_code"] });
    const { access_token: token } = await tokensFor(clientId, person, { scope: "mcp:tools" });
    expect(await whoami(token)).toBe(200);
    const browser = await browserOf(person);
    await disconnect(browser, await appsPage(browser));
    expect(await whoami(token)).toBe(401);
  });

  it("B11: cannot redeem a code that was still on its way", async () => {
    const person = await newPerson();
    const clientId = await newClient();
    const browser = await browserOf(person);
    const code = await codeFor(clientId, person, {}, browser);
    await disconnect(browser, await appsPage(browser));
    const refused = await redeem(clientId, code);
    expect([refused.status, await json(refused)]).toMatchObject([400, { error: "invalid_grant" }]);
    const { rows } = await db.execute(sql`select 1 from oauth_refresh_token where client_id = ${clientId}`);
    expect(rows).toEqual([]);
  });

  it("can be connected again at once, and what it had before stays dead", async () => {
    const person = await newPerson();
    const clientId = await newClient();
    const before = await tokensFor(clientId, person);
    const browser = await browserOf(person);
    await disconnect(browser, await appsPage(browser));
    const after = await tokensFor(clientId, person);
    expect(claimsOf(after.access_token)["grant"]).not.toBe(claimsOf(before.access_token)["grant"]);
    expect([await whoami(before.access_token), await whoami(after.access_token)]).toEqual([401, 200]);
    expect((await refresh(clientId, before.refresh_token)).status).toBe(400);
    expect((await refresh(clientId, after.refresh_token)).status).toBe(200);
  });

  it("takes nothing from other apps, other people, or its own connection at another redirect URI", async () => {
    const [person, other] = [await newPerson(), await newPerson()];
    const elsewhere = { redirect_uri: "https://client.example.com/other" };
    const clientId = await newClient({ redirect_uris: [REDIRECT, elsewhere.redirect_uri] });
    const kept = [
      await tokensFor(await newClient({ client_name: "Other" }), person),
      await tokensFor(clientId, other),
      await tokensFor(clientId, person, elsewhere),
    ];
    const ended = await tokensFor(clientId, person);
    const browser = await browserOf(person);
    const page = await appsPage(browser);
    const { rows } = await db.execute<{ reference: string }>(sql`
      select distinct reference_id as reference from oauth_refresh_token where authorization_code_id = ${claimsOf(ended.access_token)["grant"]}`);
    const left = await disconnect(browser, page, { client: clientId, reference: rows[0]?.reference ?? "" });
    expect(await whoami(ended.access_token)).toBe(401);
    for (const token of kept) expect(await whoami(token.access_token)).toBe(200);
    expect(cardsOf(left)).toHaveLength(2);
  });

  it("O03: by somebody else stays connected, and the answer is the same as for no app", async () => {
    const [person, stranger] = [await newPerson(), await newPerson()];
    const clientId = await newClient();
    const tokens = await tokensFor(clientId, person);
    const owner = await browserOf(person);
    const { reference = "" } = hiddenFields(await appsPage(owner), DISCONNECT);
    await tokensFor(await newClient(), stranger);
    const browser = await browserOf(stranger);
    const page = await appsPage(browser);
    const answers = [
      await disconnect(browser, page, { client: clientId, reference }),
      await disconnect(browser, page, { client: "no-such-client", reference }),
    ].map(({ status, html }) => [status, textOf(html)]);
    expect(answers[0]).toEqual(answers[1]);
    expect(await whoami(tokens.access_token)).toBe(200);
    expect(await consentsOf(clientId)).toHaveLength(1);
  });

  it("Q03: B01: only by a form of this page: no other site and no bare address does it", async () => {
    const person = await newPerson();
    const clientId = await newClient();
    const tokens = await tokensFor(clientId, person);
    const browser = await browserOf(person);
    const page = await appsPage(browser);
    const foreign = { origin: "https://evil.example.com", "sec-fetch-site": "cross-site" };
    expect(pageOf(await browser.submit(page, DISCONNECT, {}, foreign)).status).toBe(403);
    expect(pageOf(await browser.submit(page, DISCONNECT, { form: "" })).status).toBe(403);
    expect(pageOf(await browser.open(`${DISCONNECT}?client=${clientId}`)).status).toBe(404);
    expect(await whoami(tokens.access_token)).toBe(200);
  });
});
