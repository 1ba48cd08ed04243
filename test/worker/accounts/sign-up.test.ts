import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { confirmAddress, linkTo, newEmail, postJson, signIn, signUp, userOf } from "../../support/accounts.ts";
import { formBrowser, pageOf, textOf } from "../../support/browsing.ts";
import { db, eventually, mailsTo, origin } from "../../support/gateway.ts";
import { authorize, authorizePath, AUTH, newClient, newPerson, PASSWORD } from "../../support/oauth.ts";

describe("a new account", () => {
  it("R12: gets a mail in the development mailbox, whose link asks for a click and then confirms the address", async () => {
    const [browser, email] = [formBrowser(), newEmail()];
    const sent = await signUp(browser, email);
    expect([sent.status, textOf(sent.html)]).toEqual([200, expect.stringContaining("Check your email")]);
    const link = await linkTo(email);
    expect(await mailsTo(email)).toHaveLength(1);
    for (let look = 0; look < 3; look++) {
      const page = pageOf(await formBrowser().open(link));
      expect([page.status, textOf(page.html)]).toEqual([200, expect.stringContaining("Confirm your email address")]);
    }
    expect(await userOf(email)).toMatchObject({ email_verified: false });
    const confirmed = await browser.submit(pageOf(await browser.open(link)), "/verify-email", {});
    expect(textOf(pageOf(confirmed).html)).toContain("Your email address is confirmed.");
    expect(await userOf(email)).toMatchObject({ email_verified: true });
    expect(browser.cookies.has("mrg.session_token")).toBe(false);
    expect(textOf((await signIn(browser, email)).html)).toContain(email);
  });

  it("R12: is not confirmed by a link that was changed, or that is older than an hour", async () => {
    const [browser, email] = [formBrowser(), newEmail()];
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
    const [browser, email, clientId] = [formBrowser(), newEmail(), await newClient()];
    const login = pageOf(await browser.open(authorizePath(clientId)));
    await signUp(browser, email, `/sign-up${login.url.search}`);
    const done = await confirmAddress(browser, email);
    const next = /href="(\/sign-in\?[^"]*)"/.exec(done.html)?.[1]?.replaceAll("&amp;", "&") ?? "";
    const answer = await authorize(browser, next, { email });
    expect(answer.searchParams.get("code")).not.toBeNull();
  });

  it("I11: is not let in before its address is confirmed; only a right password learns why", async () => {
    const [browser, email] = [formBrowser(), newEmail()];
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
      const email = newEmail();
      const answer = await postJson("/sign-up/email", { name: "x", email, password: PASSWORD, ...extra });
      expect([200, 400]).toContain(answer.status);
      const user = await userOf(email);
      if (answer.status === 400) expect(user).toBeUndefined();
      else expect(user).toMatchObject({ role: "user", email_verified: false, banned: false });
      expect(user?.["id"]).not.toBe("chosen");
    }
    const [browser, person] = [formBrowser(), await newPerson()];
    await signIn(browser, person.email);
    for (const change of [{ role: "admin" }, { name: "x", role: "admin" }, { emailVerified: false }]) {
      const init = {
        method: "POST",
        headers: { "content-type": "application/json", origin },
        body: JSON.stringify(change),
      };
      expect((await browser.send(`${AUTH}/update-user`, init)).status).toBe(400);
    }
    const user = await userOf(person.email);
    expect(user?.["role"]).not.toBe("admin");
    expect(user).toMatchObject({ email_verified: true });
  });

  it.each([
    "a@b..c",
    "a\r\nbcc: b@example.com",
    "no-address",
    `${"x".repeat(250)}@example.com`,
    "a\u0000b@example.com",
  ])("I10: is not opened for the address %j", async (email) => {
    expect((await postJson("/sign-up/email", { name: "x", email, password: PASSWORD })).status).toBe(400);
    expect(await mailsTo(email)).toEqual([]);
  });

  it("I10: is one, however its address is capitalised", async () => {
    const email = newEmail();
    for (const spelled of [email.toUpperCase(), email]) await signUp(formBrowser(), spelled);
    const { rows } = await db.execute(sql`select email from "user" where lower(email) = ${email}`);
    expect(rows).toEqual([{ email }]);
  });

  it.each(["short", "x".repeat(129)])("needs a password of sensible length, not %s", async (password) => {
    const email = newEmail();
    expect((await postJson("/sign-up/email", { name: "x", email, password })).status).toBe(400);
    expect(await userOf(email)).toBeUndefined();
  });

  it.each(["\u0000", "a\u001bb", "x".repeat(101)])("N04: needs a name that can be shown, not %j", async (name) => {
    const email = newEmail();
    expect((await postJson("/sign-up/email", { name, email, password: PASSWORD })).status).toBe(400);
    expect(await userOf(email)).toBeUndefined();
  });
});

describe("an address that has an account", () => {
  it("I02: is answered at sign-up like a new one, on the page and past it, and gets no mail and no change", async () => {
    const person = await newPerson();
    const fresh = newEmail();
    const pages = [];
    for (const email of [person.email, fresh]) {
      const page = await signUp(formBrowser(), email);
      pages.push({ status: page.status, text: textOf(page.html).replaceAll(email, "…") });
    }
    expect(pages[0]).toEqual(pages[1]);
    const answers = [];
    for (const email of [person.email, newEmail()]) {
      const answer = await postJson("/sign-up/email", { name: "New person", email, password: PASSWORD });
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
    for (const email of [person.email, newEmail()]) {
      const page = await signIn(formBrowser(), email, "wrong password here");
      pages.push({ status: page.status, text: textOf(page.html).replaceAll(email, "…") });
    }
    expect(pages[0]).toEqual(pages[1]);
    expect(pages[0]?.status).toBe(401);
  });
});
