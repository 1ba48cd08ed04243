import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { signIn } from "../../support/accounts.ts";
import {
  formBrowser,
  hiddenFields,
  leftFor,
  pageOf,
  textOf,
  type FormBrowser,
  type Page,
} from "../../support/browsing.ts";
import { callTool, db, withFault } from "../../support/gateway.ts";
import {
  authorize,
  authorizePath,
  json,
  newClient,
  newPerson,
  redeem,
  signInAt,
  tokensFor,
  type Person,
} from "../../support/oauth.ts";

const SESSIONS = "/dashboard/sessions";
const REVOKE = "/dashboard/sessions/revoke";
const REVOKE_OTHERS = "/dashboard/sessions/revoke-others";
const FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0";

/** A browser in which the person is signed in, with the id of its session. */
async function browserOf(person: Person): Promise<{ browser: FormBrowser; id: string }> {
  const browser = formBrowser();
  await signIn(browser, person.email);
  const { rows } = await db.execute<{ id: string }>(
    sql`select id from session where user_id = ${person.id} order by created_at desc, id limit 1`,
  );
  const answer = await browser.send("/api/auth/get-session?disableCookieCache=true");
  const { session } = await answer.json<{ session: { id: string } }>();
  expect(rows).toHaveLength(1);
  return { browser, id: session.id };
}

const sessionsPage = async (browser: FormBrowser): Promise<Page> => pageOf(await browser.open(SESSIONS));

/** Where a browser gets when it opens the dashboard. */
const dashboardOf = async (browser: FormBrowser) => pageOf(await browser.open("/dashboard")).url.pathname;

const revoke = async (browser: FormBrowser, session: string): Promise<Page> =>
  pageOf(await browser.submit(await sessionsPage(browser), REVOKE, { session }));

describe("sessions", () => {
  it("are shown with the device, the address and the times, and without their tokens", async () => {
    const person = await newPerson();
    const { browser } = await browserOf(person);
    const other = formBrowser();
    const login = pageOf(await other.open("/sign-in"));
    const fields = { email: person.email, password: "correct horse battery" };
    await other.submit(login, "/sign-in", fields, { "user-agent": FIREFOX });
    const page = await sessionsPage(browser);
    const text = textOf(page.html);
    expect(text).toContain("Firefox on Windows");
    expect(text.match(/this session/g)).toHaveLength(1);
    expect(text).toMatch(/IP address 11\.\d+\.\d+\.\d+/);
    expect(text).toMatch(/Signed in \d+ \w+ \d{4}, \d\d:\d\d UTC/);
    const { rows } = await db.execute<{ token: string }>(sql`select token from session where user_id = ${person.id}`);
    expect(rows).toHaveLength(2);
    for (const { token } of rows) expect(page.html).not.toContain(token);
  });

  it("are shown in an old session too, to whom they belong, and to nobody else", async () => {
    const [person, other] = [await newPerson(), await newPerson()];
    const { browser, id } = await browserOf(person);
    await db.execute(sql`update session set created_at = created_at - interval '5 days' where id = ${id}`);
    const { id: foreign } = await browserOf(other);
    const { id: second } = await browserOf(person);
    const page = await sessionsPage(browser);
    expect(page.html).toContain(second);
    expect(page.html).not.toContain(foreign);
    expect(pageOf(await formBrowser().open(SESSIONS)).url.pathname).toBe("/sign-in");
  });
});

describe("a session that is signed out elsewhere", () => {
  it("H04: sees no dashboard any more, at once, whatever its cookies say", async () => {
    const person = await newPerson();
    const [own, lost, kept] = [await browserOf(person), await browserOf(person), await browserOf(person)];
    expect(await dashboardOf(lost.browser)).toBe("/dashboard/apps");
    const page = await revoke(own.browser, lost.id);
    expect([page.url.pathname, textOf(page.html)]).toEqual([
      SESSIONS,
      expect.stringContaining("That session was signed out."),
    ]);
    expect(page.html).not.toContain(lost.id);
    expect(lost.browser.cookies.has("mrg.session_token")).toBe(true);
    expect(await dashboardOf(lost.browser)).toBe("/sign-in");
    expect(await dashboardOf(own.browser)).toBe("/dashboard/apps");
    expect(await dashboardOf(kept.browser)).toBe("/dashboard/apps");
  });

  it("H04: consents to nothing, and a code that it still gets cannot be redeemed", async () => {
    const person = await newPerson();
    const { browser: own } = await browserOf(person);
    const [remembered, fresh] = [await newClient(), await newClient()];
    const lost = formBrowser();
    await authorize(lost, authorizePath(remembered), person);
    const { session } = await (await lost.send("/api/auth/get-session")).json<{ session: { id: string } }>();
    const asked = pageOf(await lost.open(authorizePath(fresh)));
    expect(asked.url.pathname).toBe("/consent");
    await revoke(own, session.id);
    expect(pageOf(await lost.submit(asked, "/consent", { decision: "allow" })).url.pathname).toBe("/sign-in");
    const { rows } = await db.execute(sql`select 1 from oauth_consent where client_id = ${fresh}`);
    expect(rows).toEqual([]);
    const visit = await lost.open(authorizePath(remembered));
    if ("leftFor" in visit) {
      const refused = await redeem(remembered, visit.leftFor.searchParams.get("code") ?? "");
      expect([refused.status, await json(refused)]).toMatchObject([400, { error: "invalid_grant" }]);
    } else {
      expect(visit.page.url.pathname).toBe("/sign-in");
    }
  });

  it("takes no connected app along", async () => {
    const person = await newPerson();
    const tokens = await tokensFor(await newClient(), person);
    const { browser } = await browserOf(person);
    await browser.submit(await sessionsPage(browser), REVOKE_OTHERS, {});
    expect((await callTool("whoami", {}, { token: tokens.access_token })).status).toBe(200);
  });

  it("O03: is one's own: a stranger's id is answered like none, and changes nothing", async () => {
    const [person, stranger] = [await newPerson(), await newPerson()];
    const { browser, id } = await browserOf(person);
    const theirs = await browserOf(stranger);
    await browserOf(stranger);
    const answers = [await revoke(theirs.browser, id), await revoke(theirs.browser, "no-such-session")];
    expect(textOf(answers[0]?.html ?? "")).toBe(textOf(answers[1]?.html ?? ""));
    expect(await dashboardOf(browser)).toBe("/dashboard/apps");
  });

  it("may be this one: that is a sign-out", async () => {
    const person = await newPerson();
    const { browser, id } = await browserOf(person);
    await browserOf(person);
    expect((await revoke(browser, id)).url.pathname).toBe("/sign-in");
  });
});

describe("signing out all other sessions", () => {
  it("H06: ends each of them at once, and keeps this one", async () => {
    const person = await newPerson();
    const { browser } = await browserOf(person);
    const others = [await browserOf(person), await browserOf(person), await browserOf(person)];
    const page = pageOf(await browser.submit(await sessionsPage(browser), REVOKE_OTHERS, {}));
    expect(textOf(page.html)).toContain("All other sessions were signed out.");
    expect(page.html).not.toContain(REVOKE_OTHERS);
    for (const other of others) expect(await dashboardOf(other.browser)).toBe("/sign-in");
    expect(await dashboardOf(browser)).toBe("/dashboard/apps");
  });

  it("is a 503 while Postgres fails, and works afterwards", async () => {
    const person = await newPerson();
    const { browser } = await browserOf(person);
    const other = await browserOf(person);
    const page = await sessionsPage(browser);
    const failed = await withFault({ neon: { mode: "down" } }, async () =>
      pageOf(await browser.submit(page, REVOKE_OTHERS, {})),
    );
    expect([failed.status, failed.headers.has("retry-after")]).toEqual([503, true]);
    expect(pageOf(await browser.submit(page, REVOKE_OTHERS, {})).status).toBe(200);
    expect(await dashboardOf(other.browser)).toBe("/sign-in");
  });

  it.each([REVOKE, REVOKE_OTHERS])("Q03: B01: %s is a form of our own page, and no address to open", async (path) => {
    const person = await newPerson();
    const { browser } = await browserOf(person);
    const other = await browserOf(person);
    const page = await sessionsPage(browser);
    const fields = { ...hiddenFields(page, path), session: other.id };
    const foreign = { origin: "null", "sec-fetch-site": "cross-site" };
    expect(pageOf(await browser.post(path, fields, foreign)).status).toBe(403);
    expect(pageOf(await browser.post(path, { ...fields, form: "" })).status).toBe(403);
    expect(pageOf(await browser.open(path)).status).toBe(404);
    expect(await dashboardOf(other.browser)).toBe("/dashboard/apps");
  });
});

describe("the way back after a login", () => {
  it.each([SESSIONS, "/dashboard/apps"])("leads to the page that was asked for: %s", async (path) => {
    const [person, browser] = [await newPerson(), formBrowser()];
    const login = await browser.open(path);
    expect(pageOf(await signInAt(browser, login, person)).url.pathname).toBe(path);
  });

  it.each([
    "//evil.example.com",
    "/\\evil.example.com",
    "https:evil.example.com",
    "https://evil.example.com/dashboard/apps",
    "/%09/evil.example.com",
    "/\t/evil.example.com",
    "@evil.example.com",
    "／／evil.example.com",
    "/／evil.example.com",
    "/dashboard/apps\\@evil.example.com",
    "/dashboard//evil.example.com",
    "/dashboard/../api/auth/sign-out",
    "/dashboard/apps?next=//evil.example.com",
    "javascript:alert(1)",
    "/api/auth/oauth2/authorize",
    "/sign-out",
  ])("F04: leads nowhere else: %j", async (target) => {
    const [person, browser] = [await newPerson(), formBrowser()];
    const login = pageOf(await browser.open(`/sign-in?${new URLSearchParams({ next: target }).toString()}`));
    expect(hiddenFields(login, "/sign-in")).not.toHaveProperty("next");
    const fields = { email: person.email, password: "correct horse battery", next: target };
    const page = pageOf(await browser.submit(login, "/sign-in", fields));
    expect(page.url.pathname).toBe("/");
    const line = browser.answers.findLast(({ path }) => path === "/sign-in");
    expect(line?.headers.get("location")).toBe("/");
  });

  it("F04: an authorization goes first", async () => {
    const [person, browser, clientId] = [await newPerson(), formBrowser(), await newClient()];
    const login = pageOf(await browser.open(authorizePath(clientId)));
    const fields = { email: person.email, password: "correct horse battery", next: SESSIONS };
    const consent = pageOf(await browser.submit(login, "/sign-in", fields));
    expect(consent.url.pathname).toBe("/consent");
    expect(leftFor(await browser.submit(consent, "/consent", { decision: "allow" })).searchParams.has("code")).toBe(
      true,
    );
  });
});
