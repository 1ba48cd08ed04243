import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { formBrowser, pageOf, textOf, type FormBrowser, type Page, type Send } from "../support/browsing.ts";
import { db, eventually, mailsTo, origin, request } from "../support/gateway.ts";
import {
  authorize,
  authorizePath,
  AUTH,
  form,
  gatewayWith,
  json,
  newClient,
  newPerson,
  PASSWORD,
} from "../support/oauth.ts";

const newAddress = () => `person-${crypto.randomUUID()}@example.com`;
const JSON_TYPE = { "content-type": "application/json" };

const userOf = async (email: string) => (await db.execute(sql`select * from "user" where email = ${email}`)).rows[0];

const tenantsOf = async (email: string) =>
  (
    await db.execute(sql`select o.id, m.role from "user" u join member m on m.user_id = u.id
      join organization o on o.id = m.organization_id where u.email = ${email}`)
  ).rows;

/** Fills in the sign-up page. */
async function signUp(browser: FormBrowser, email: string, path = "/sign-up"): Promise<Page> {
  const page = pageOf(await browser.open(path));
  return pageOf(await browser.submit(page, "/sign-up", { name: "New person", email, password: PASSWORD }));
}

/** The path of the link in the newest mail to an address. */
async function linkTo(email: string): Promise<string> {
  const mail = await eventually(async () => (await mailsTo(email))[0]);
  const { pathname, search } = new URL(mail.links[0] ?? "");
  return `${pathname}${search}`;
}

async function signIn(browser: FormBrowser, email: string, password = PASSWORD): Promise<Page> {
  return pageOf(await browser.submit(pageOf(await browser.open("/sign-in")), "/sign-in", { email, password }));
}

/** Better Auth's own endpoint, past our pages. */
const post = (path: string, body: unknown, headers: Record<string, string> = { origin }, gateway: Send = request) =>
  gateway(`${AUTH}${path}`, { method: "POST", headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(body) });

describe("a new account", () => {
  it("R12: gets a mail in the development mailbox, whose link asks for a click and then confirms the address", async () => {
    const [browser, email] = [formBrowser(), newAddress()];
    const sent = await signUp(browser, email);
    expect([sent.status, textOf(sent.html)]).toEqual([200, expect.stringContaining("Check your mail")]);
    const link = await linkTo(email);
    expect(await mailsTo(email)).toHaveLength(1);
    for (let look = 0; look < 3; look++) {
      const page = pageOf(await formBrowser().open(link));
      expect([page.status, textOf(page.html)]).toEqual([200, expect.stringContaining("Confirm your e-mail address")]);
    }
    expect(await userOf(email)).toMatchObject({ email_verified: false });
    const confirmed = await browser.submit(pageOf(await browser.open(link)), "/verify-email", {});
    expect(textOf(pageOf(confirmed).html)).toContain("Your e-mail address is confirmed.");
    expect(await userOf(email)).toMatchObject({ email_verified: true });
    expect(browser.cookies.has("mrg.session_token")).toBe(false);
    expect(textOf((await signIn(browser, email)).html)).toContain(email);
  });

  it("R12: is not confirmed by a link that was changed, or that is older than an hour", async () => {
    const [browser, email] = [formBrowser(), newAddress()];
    await signUp(browser, email);
    const page = pageOf(await browser.open(await linkTo(email)));
    const token = new URLSearchParams(page.url.search).get("token") ?? "";
    const [, claims = ""] = token.split(".");
    const none = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${claims}.`;
    for (const changed of [`${token.slice(0, -4)}AAAA`, none, "x", ""]) {
      expect(pageOf(await browser.submit(page, "/verify-email", { token: changed })).status).toBe(400);
    }
    expect(await userOf(email)).toMatchObject({ email_verified: false });
  });

  it("R12: that an authorization led to leads back to it", async () => {
    const [browser, email, clientId] = [formBrowser(), newAddress(), await newClient()];
    const login = pageOf(await browser.open(authorizePath(clientId)));
    await signUp(browser, email, `/sign-up${login.url.search}`);
    const done = pageOf(await browser.submit(pageOf(await browser.open(await linkTo(email))), "/verify-email", {}));
    const next = /href="(\/sign-in\?[^"]*)"/.exec(done.html)?.[1]?.replaceAll("&amp;", "&") ?? "";
    const answer = await authorize(browser, next, { email });
    expect(answer.searchParams.get("code")).not.toBeNull();
  });

  it("I11: is not let in before its address is confirmed; only a right password learns why", async () => {
    const [browser, email] = [formBrowser(), newAddress()];
    await signUp(browser, email);
    const early = await signIn(browser, email);
    expect([early.status, textOf(early.html)]).toEqual([403, expect.stringContaining("Confirm your address first")]);
    const wrong = await signIn(browser, email, "wrong password here");
    expect([wrong.status, textOf(wrong.html)]).toEqual([401, expect.stringContaining("do not match an account")]);
    expect(browser.cookies.has("mrg.session_token")).toBe(false);
    await eventually(async () => ((await mailsTo(email)).length === 2 ? true : undefined));
  });

  it("I12: takes no privileges from the request that opens it, and none later", async () => {
    for (const extra of [
      { role: "admin" },
      { emailVerified: true },
      { id: "chosen" },
      { banned: true, banReason: "x" },
    ]) {
      const email = newAddress();
      const answer = await post("/sign-up/email", { name: "x", email, password: PASSWORD, ...extra });
      expect([200, 400]).toContain(answer.status);
      const user = await userOf(email);
      if (answer.status === 400) expect(user).toBeUndefined();
      else expect(user).toMatchObject({ role: "user", email_verified: false, banned: false });
      expect(user?.["id"]).not.toBe("chosen");
    }
    const [browser, person] = [formBrowser(), await newPerson()];
    await signIn(browser, person.email);
    for (const change of [{ role: "admin" }, { name: "x", role: "admin" }, { emailVerified: false }]) {
      const init = { method: "POST", headers: { ...JSON_TYPE, origin }, body: JSON.stringify(change) };
      expect((await browser.send(`${AUTH}/update-user`, init)).status).toBe(400);
    }
    expect(await userOf(person.email)).toMatchObject({ role: "user", email_verified: true });
  });

  it.each([
    "a@b..c",
    "a\r\nbcc: b@example.com",
    "no-address",
    `${"x".repeat(250)}@example.com`,
    "a\u0000b@example.com",
  ])("I10: is not opened for the address %j", async (email) => {
    expect((await post("/sign-up/email", { name: "x", email, password: PASSWORD })).status).toBe(400);
    expect(await mailsTo(email)).toEqual([]);
  });

  it("I10: is one, however its address is capitalised", async () => {
    const email = newAddress();
    for (const spelled of [email.toUpperCase(), email]) await signUp(formBrowser(), spelled);
    const { rows } = await db.execute(sql`select email from "user" where lower(email) = ${email}`);
    expect(rows).toEqual([{ email }]);
  });

  it.each(["short", "x".repeat(129)])("needs a password of sensible length, not %s", async (password) => {
    const email = newAddress();
    expect((await post("/sign-up/email", { name: "x", email, password })).status).toBe(400);
    expect(await userOf(email)).toBeUndefined();
  });

  it.each(["\u0000", "a\u001bb", "x".repeat(101)])("N04: needs a name that can be shown, not %j", async (name) => {
    const email = newAddress();
    expect((await post("/sign-up/email", { name, email, password: PASSWORD })).status).toBe(400);
    expect(await userOf(email)).toBeUndefined();
  });
});

describe("an address that has an account", () => {
  it("I02: is answered at sign-up like a new one, on the page and past it, and gets no mail and no change", async () => {
    const person = await newPerson();
    const fresh = newAddress();
    const pages = [];
    for (const email of [person.email, fresh]) {
      const page = await signUp(formBrowser(), email);
      pages.push({ status: page.status, text: textOf(page.html).replaceAll(email, "…") });
    }
    expect(pages[0]).toEqual(pages[1]);
    const answers = [];
    for (const email of [person.email, newAddress()]) {
      const answer = await post("/sign-up/email", { name: "New person", email, password: PASSWORD });
      const { user, ...rest } = await answer.json<{ user: Record<string, unknown> }>();
      const { id, createdAt, updatedAt, ...same } = { ...user, email: "…" } as Record<string, unknown>;
      answers.push({ status: answer.status, names: Object.keys(user), ids: String(id).length, same, rest });
      expect([typeof createdAt, typeof updatedAt]).toEqual(["string", "string"]);
    }
    expect(answers[0]).toEqual(answers[1]);
    await linkTo(fresh);
    expect(await mailsTo(person.email)).toEqual([]);
    expect(await userOf(person.email)).toMatchObject({ name: "Test user", id: person.id });
  });

  it("I02: is refused at sign-in like an unknown one", async () => {
    const person = await newPerson();
    const pages = [];
    for (const email of [person.email, newAddress()]) {
      const page = await signIn(formBrowser(), email, "wrong password here");
      pages.push({ status: page.status, text: textOf(page.html).replaceAll(email, "…") });
    }
    expect(pages[0]).toEqual(pages[1]);
    expect(pages[0]?.status).toBe(401);
  });
});

describe("signing in", () => {
  it("I09: at the wish of another site is refused, on the page and past it, and sets no session", async () => {
    const { email } = await newPerson();
    const browser = formBrowser();
    const page = pageOf(await browser.open("/sign-in"));
    const foreign = { origin: "https://evil.example.com", "sec-fetch-site": "cross-site" };
    const refused = pageOf(await browser.submit(page, "/sign-in", { email, password: PASSWORD }, foreign));
    expect(refused.status).toBe(403);
    const withoutToken = pageOf(await browser.post("/sign-in", { email, password: PASSWORD }));
    expect(withoutToken.status).toBe(403);
    expect(browser.cookies.has("mrg.session_token")).toBe(false);
    const past = await post("/sign-in/email", { email, password: PASSWORD }, foreign);
    const asForm = await request(`${AUTH}/sign-in/email`, {
      method: "POST",
      headers: { ...foreign, "sec-fetch-mode": "navigate", "content-type": "application/x-www-form-urlencoded" },
      body: form({ email, password: PASSWORD }),
    });
    for (const answer of [past, asForm]) {
      expect(answer.status).toBe(403);
      expect(answer.headers.get("set-cookie")).toBeNull();
    }
  });

  it.each([
    "//evil.example.com",
    "/\\evil.example.com",
    "https:evil.example.com",
    "https://evil.example.com",
    "@evil.example.com",
    "javascript:alert(1)",
  ])("F04: leads nowhere else: %s", async (target) => {
    const { email } = await newPerson();
    const answer = await post("/sign-in/email", { email, password: PASSWORD, callbackURL: target });
    expect(answer.status).toBe(403);
    const page = pageOf(await formBrowser().open(`/verify-email?token=x&next=${encodeURIComponent(target)}`));
    expect(page.html).not.toContain('href="//evil');
  });

  it("R1: gives a new personal tenant once, and makes it again when it is missing", async () => {
    const [browser, email] = [formBrowser(), newAddress()];
    await signUp(browser, email);
    const expected = [{ id: `personal-${String((await userOf(email))?.["id"])}`, role: "owner" }];
    expect(await tenantsOf(email)).toEqual(expected);
    await browser.submit(pageOf(await browser.open(await linkTo(email))), "/verify-email", {});
    for (const _time of [1, 2]) await signIn(formBrowser(), email);
    expect(await tenantsOf(email)).toEqual(expected);
    await db.execute(sql`delete from organization where id = ${expected[0]?.id}`);
    expect(await tenantsOf(email)).toEqual([]);
    await Promise.all([signIn(formBrowser(), email), signIn(formBrowser(), email)]);
    expect(await tenantsOf(email)).toEqual(expected);
  });
});

describe("SIGN_UP", () => {
  const closed = (address: string) => gatewayWith({ SIGN_UP: "invite", ADMIN_EMAILS: address });

  it("R23: invite opens no account but for administrators' addresses", async () => {
    const [admin, stranger] = [newAddress(), newAddress()];
    const refused = await signUp(formBrowser(closed(admin)), stranger);
    expect([refused.status, textOf(refused.html)]).toEqual([403, expect.stringContaining("Sign-up is closed")]);
    const past = await post(
      "/sign-up/email",
      { name: "x", email: stranger, password: PASSWORD },
      { origin },
      closed(admin),
    );
    expect([past.status, await json(past)]).toEqual([403, expect.objectContaining({ code: "SIGN_UP_CLOSED" })]);
    expect(await userOf(stranger)).toBeUndefined();
    expect((await signUp(formBrowser(closed(admin)), admin)).status).toBe(200);
    expect(await userOf(admin)).toBeDefined();
  });

  it.each([
    ["team.example.com", true],
    ["TEAM.example.com", true],
    ["sub.team.example.com", false],
    ["evil-team.example.com", false],
    ["team.example.com.evil.example.com", false],
  ])("R23: a list of domains takes addresses at %s: %s", async (domain, taken) => {
    const email = `person-${crypto.randomUUID()}@${domain}`;
    const page = await signUp(formBrowser(gatewayWith({ SIGN_UP: "domains:team.example.com" })), email);
    expect(page.status).toBe(taken ? 200 : 403);
    expect((await userOf(email.toLowerCase())) !== undefined).toBe(taken);
  });
});

describe("ADMIN_EMAILS", () => {
  it("makes a confirmed address an administrator at its next login, nobody else, and only as long as it is listed", async () => {
    const [admin, other] = [await newPerson(), await newPerson()];
    const gateway = gatewayWith({ ADMIN_EMAILS: admin.email.toUpperCase() });
    for (const { email } of [admin, other]) await signIn(formBrowser(gateway), email);
    expect(await userOf(admin.email)).toMatchObject({ role: "admin" });
    expect((await userOf(other.email))?.["role"]).not.toBe("admin");
    await signIn(formBrowser(), admin.email);
    expect(await userOf(admin.email)).toMatchObject({ role: "user" });
  });

  it("gives nothing to an address that is not confirmed", async () => {
    const email = newAddress();
    const gateway = gatewayWith({ ADMIN_EMAILS: email });
    await signUp(formBrowser(gateway), email);
    expect((await signIn(formBrowser(gateway), email)).status).toBe(403);
    expect(await userOf(email)).toMatchObject({ role: "user" });
  });
});
