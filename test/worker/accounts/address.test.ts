import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { ADDRESS_SUBJECT, isSignedIn, linkIn, NEW_PASSWORD, submitAccountForm } from "../../support/account-forms.ts";
import { newEmail, postJson, signIn, userOf } from "../../support/accounts.ts";
import { leftFor, formBrowser, pageOf, textOf, type FormBrowser, type Send } from "../../support/browsing.ts";
import { callTool, db, mailsTo, origin, request } from "../../support/gateway.ts";
import {
  authorizePath,
  AUTH,
  codeFor,
  gatewayWith,
  later,
  newClient,
  newPerson,
  PASSWORD,
  redeem,
  type Tokens,
} from "../../support/oauth.ts";

const CONFIRM = "/dashboard/account/confirm-address";

/** Somebody in a browser in which they are signed in. */
async function signedInPerson(gateway: Send = request) {
  const [person, browser] = [await newPerson(), formBrowser(gateway)];
  await signIn(browser, person.email);
  return { ...person, browser };
}

const ask = (browser: FormBrowser, address: string, password = PASSWORD) =>
  submitAccountForm(browser, "email", { new_email: address, email_password: password });

const confirm = async (browser: FormBrowser, address: string) => {
  const page = pageOf(await browser.open(await linkIn(address, ADDRESS_SUBJECT)));
  return pageOf(await browser.submit(page, CONFIRM, {}));
};

describe("a new e-mail address", () => {
  it("R12: gets a mail, becomes the account's when its owner confirms it there, and the old one is told", async () => {
    const { id, email, browser } = await signedInPerson();
    const [other, address] = [formBrowser(), newEmail()];
    await signIn(other, email);
    const asked = await ask(browser, address.toUpperCase());
    expect([asked.status, textOf(asked.html)]).toEqual([200, expect.stringContaining("we have sent a link to it")]);
    const link = await linkIn(address, ADDRESS_SUBJECT);
    for (let look = 0; look < 2; look++)
      expect(textOf(pageOf(await browser.open(link)).html)).toContain(`will change to ${address}`);
    expect(await userOf(email)).toMatchObject({ id });
    const done = await confirm(browser, address);
    expect(textOf(done.html)).toContain("Your email address was changed.");
    expect(await userOf(address)).toMatchObject({ id, email_verified: true });
    expect(await userOf(email)).toBeUndefined();
    expect([await isSignedIn(browser), await isSignedIn(other)]).toEqual([true, false]);
    expect(textOf(pageOf(await browser.open("/")).html)).toContain(address);
    await linkIn(email, "Your email address was changed");
    expect([(await signIn(formBrowser(), email)).status, (await signIn(formBrowser(), address)).status]).toEqual([
      401, 200,
    ]);
  });

  it("needs the password", async () => {
    const { email, browser } = await signedInPerson();
    const address = newEmail();
    const refused = await ask(browser, address, "wrong password here");
    expect([refused.status, textOf(refused.html)]).toEqual([400, expect.stringContaining("not the password")]);
    expect(refused.html).toContain(`value="${address}"`);
    expect(await userOf(email)).toBeDefined();
    expect(await mailsTo(address)).toEqual([]);
  });

  it("I02: that another account has is answered in the same way, and nobody gets a mail", async () => {
    const { browser } = await signedInPerson();
    const [taken, free] = [(await newPerson()).email, newEmail()];
    const texts = [];
    for (const address of [taken, free])
      texts.push(textOf((await ask(browser, address)).html).replaceAll(address, "…"));
    expect(texts[0]).toBe(texts[1]);
    await linkIn(free, ADDRESS_SUBJECT);
    expect(await mailsTo(taken)).toEqual([]);
  });

  it("that somebody else takes before it is confirmed stays theirs", async () => {
    const { email, browser } = await signedInPerson();
    const address = newEmail();
    await ask(browser, address);
    const link = await linkIn(address, ADDRESS_SUBJECT);
    const page = pageOf(await browser.open(link));
    await postJson("/sign-up/email", { name: "x", email: address, password: PASSWORD });
    expect(pageOf(await browser.submit(page, CONFIRM, {})).status).toBe(400);
    expect(await userOf(email)).toBeDefined();
    expect(await isSignedIn(browser)).toBe(true);
  });

  it("I13: is not confirmed by its owner for an account that is not theirs, signed in or not", async () => {
    const { id, email, browser } = await signedInPerson();
    const address = newEmail();
    await ask(browser, address);
    const link = await linkIn(address, ADDRESS_SUBJECT);
    const token = new URLSearchParams(link.split("?")[1]).get("token") ?? "";
    const stranger = formBrowser();
    const page = pageOf(await stranger.open(link));
    expect([page.status, textOf(page.html)]).toEqual([403, expect.stringContaining("Sign in first")]);
    const { browser: owner } = await signedInPerson();
    expect(pageOf(await owner.open(link)).status).toBe(400);
    for (const one of [stranger, owner]) {
      const answer = await one.send(`${AUTH}/confirm-new-email`, {
        method: "POST",
        headers: { "content-type": "application/json", origin },
        body: JSON.stringify({ token }),
      });
      expect([400, 401]).toContain(answer.status);
    }
    expect(await userOf(email)).toMatchObject({ id });
  });

  it("I08: is confirmed once, within an hour, and not after the password was changed", async () => {
    const { email, browser } = await signedInPerson();
    const [address, back] = [newEmail(), newEmail()];
    await ask(browser, address);
    const page = pageOf(await browser.open(await linkIn(address, ADDRESS_SUBJECT)));
    await later(3601, async () => {
      expect(pageOf(await browser.open(page.url.href)).status).toBe(400);
      expect(pageOf(await browser.submit(page, CONFIRM, {})).status).not.toBe(200);
    });
    await submitAccountForm(browser, "password", { current_password: PASSWORD, new_password: NEW_PASSWORD });
    expect(pageOf(await browser.submit(page, CONFIRM, {})).status).toBe(400);
    expect(await userOf(email)).toBeDefined();
    await ask(browser, back, NEW_PASSWORD);
    const second = pageOf(await browser.open(await linkIn(back, ADDRESS_SUBJECT)));
    const answers = await Promise.all([1, 2, 3].map(() => browser.submit(second, CONFIRM, {})));
    const won = answers.filter((visit) => pageOf(visit).url.searchParams.get("done") === "address");
    expect(won).toHaveLength(1);
    expect(await userOf(back)).toBeDefined();
  });

  it.each(["a@b..c", "no-address", `${"x".repeat(250)}@example.com`, "a\r\nbcc: b@example.com"])(
    "I10: is no address that mail cannot be sent to: %j",
    async (address) => {
      const { email, browser } = await signedInPerson();
      expect((await ask(browser, address)).status).toBe(400);
      expect(await userOf(email)).toBeDefined();
    },
  );

  it("R23: is one at the domains that get an account, where only those do", async () => {
    const gateway = gatewayWith({ SIGN_UP: "domains:organization.example.com" });
    const { browser } = await signedInPerson(gateway);
    const [outside, inside] = [newEmail(), newEmail("organization.example.com")];
    const refused = await ask(browser, outside);
    expect([refused.status, textOf(refused.html)]).toEqual([400, expect.stringContaining("at this domain")]);
    expect((await ask(browser, inside)).status).toBe(200);
    await linkIn(inside, ADDRESS_SUBJECT);
    expect(await mailsTo(outside)).toEqual([]);
  });

  it("I12: comes by no other way", async () => {
    const { email, browser } = await signedInPerson();
    const headers = { "content-type": "application/json", origin };
    for (const body of [{ email: newEmail() }, { name: "x", email: newEmail() }, { emailVerified: false }]) {
      const answer = await browser.send(`${AUTH}/update-user`, { method: "POST", headers, body: JSON.stringify(body) });
      expect(answer.status).toBe(400);
    }
    expect(await userOf(email)).toMatchObject({ email_verified: true });
  });
});

describe("the address of an administrator", () => {
  const SCOPE = "openid mcp:tools admin";

  it("H06: given up takes the role along at once, and tokens with the scope admin", async () => {
    const admin = await newPerson();
    const gateway = gatewayWith({ ADMIN_EMAILS: admin.email });
    const [browser, elsewhere] = [formBrowser(gateway), formBrowser(gateway)];
    for (const one of [browser, elsewhere]) await signIn(one, admin.email);
    expect(await userOf(admin.email)).toMatchObject({ role: "admin" });
    const clientId = await newClient({}, gateway);
    const consent = pageOf(await elsewhere.open(authorizePath(clientId, { scope: SCOPE })));
    const allowed = leftFor(await elsewhere.submit(consent, "/consent", { decision: "allow", grant_admin: "yes" }));
    const code = allowed.searchParams.get("code") ?? "";
    const { access_token: token } = await (await redeem(clientId, code, {}, gateway)).json<Tokens>();
    expect((await callTool("echo", { text: "x" }, { token })).status).toBe(200);
    const plain = await codeFor(clientId, admin, { scope: "openid mcp:tools" }, elsewhere);
    const { access_token: other } = await (await redeem(clientId, plain, {}, gateway)).json<Tokens>();
    const listUsers = (one: FormBrowser) => one.send(`${AUTH}/admin/list-users`).then(({ status }) => status);
    expect([await listUsers(browser), await listUsers(elsewhere)]).toEqual([200, 200]);
    const address = newEmail();
    await ask(browser, address);
    await confirm(browser, address);
    expect(await userOf(address)).toMatchObject({ role: "user" });
    expect([await listUsers(browser), await listUsers(elsewhere)]).toEqual([403, 401]);
    expect((await callTool("echo", { text: "x" }, { token })).status).toBe(401);
    expect((await callTool("echo", { text: "x" }, { token: other })).status).toBe(200);
  });

  it("brings the role with it when it is proved, not before", async () => {
    const address = newEmail();
    const { email, browser } = await signedInPerson(gatewayWith({ ADMIN_EMAILS: address }));
    await ask(browser, address);
    expect(await userOf(email)).toMatchObject({ role: null });
    await confirm(browser, address);
    expect(await userOf(address)).toMatchObject({ role: "admin" });
    const { rows } = await db.execute(sql`select count(*)::int as n from "user" where email = ${email}`);
    expect(rows).toEqual([{ n: 0 }]);
  });
});
