import { describe, expect, it } from "vitest";
import { isSignedIn, linkIn, NEW_PASSWORD } from "../../support/account-forms.ts";
import { linkTo, newEmail, postJson, signIn, signUp, userOf } from "../../support/accounts.ts";
import { formBrowser, pageOf, textOf, type FormBrowser } from "../../support/browsing.ts";
import { eventually, mailsTo, request } from "../../support/gateway.ts";
import { AUTH, authorizePath, gatewayWith, newClient, PASSWORD } from "../../support/oauth.ts";

const VERIFY = "/verify-email";
const statusOf = async (email: string, password: string) =>
  (await postJson("/sign-in/email", { email, password })).status;

const openMail = async (browser: FormBrowser, email: string) => pageOf(await browser.open(await linkTo(email)));

describe("an account that somebody opened with the address of another", () => {
  it("I13: is not theirs when the owner confirms the address: the owner chooses the password", async () => {
    const [attacker, owner, email] = [formBrowser(), formBrowser(), newEmail()];
    await signUp(attacker, email);
    const page = await openMail(owner, email);
    expect(textOf(page.html)).toContain("You opened this link in a different browser.");
    const clicked = pageOf(await owner.submit(page, VERIFY, {}));
    expect([clicked.status, textOf(clicked.html)]).toEqual([400, expect.stringContaining("10 to 128 characters")]);
    expect(await userOf(email)).toMatchObject({ email_verified: false });
    const done = pageOf(await owner.submit(clicked, VERIFY, { password: NEW_PASSWORD }));
    expect(textOf(done.html)).toContain("Your email address is confirmed and your password is set.");
    expect([await statusOf(email, PASSWORD), await statusOf(email, NEW_PASSWORD)]).toEqual([401, 200]);
    const again = pageOf(await owner.submit(page, VERIFY, { password: "a third passphrase" }));
    expect(again.status).toBe(400);
    expect(await statusOf(email, NEW_PASSWORD)).toBe(200);
  });

  it("I13: is not theirs after they sign in again and again either, which sends more mails", async () => {
    const [attacker, owner, email] = [formBrowser(), formBrowser(), newEmail()];
    await signUp(attacker, email);
    expect((await signIn(attacker, email)).status).toBe(403);
    await eventually(async () => ((await mailsTo(email)).length === 2 ? true : undefined));
    for (const { links } of await mailsTo(email)) {
      const { pathname, search } = new URL(links[0] ?? "");
      expect(pageOf(await owner.open(`${pathname}${search}`)).html).toContain('name="password"');
    }
  });

  it("I13: is confirmed by a link past our pages as little as on them", async () => {
    const [attacker, email] = [formBrowser(), newEmail()];
    await signUp(attacker, email);
    const token = new URLSearchParams((await linkTo(email)).split("?")[1]).get("token") ?? "";
    for (const search of [{ token }, { token, browser: "A".repeat(43) }, { token, callbackURL: "/" }]) {
      const answer = await request(`${AUTH}/verify-email?${new URLSearchParams(search).toString()}`);
      expect(answer.status).toBe(403);
    }
    expect(await userOf(email)).toMatchObject({ email_verified: false });
  });

  it("I13: is the owner's when the owner signs up after the stranger, whichever mail is opened in the owner's browser", async () => {
    for (const which of [0, 1]) {
      const [attacker, owner, email] = [formBrowser(), formBrowser(), newEmail()];
      await signUp(attacker, email);
      const first = await linkTo(email);
      const sent = await signUp(owner, email);
      expect(textOf(sent.html)).toContain("Check your email");
      await eventually(async () => ((await mailsTo(email)).length === 2 ? true : undefined));
      const page = pageOf(await owner.open(which === 0 ? first : await linkTo(email)));
      expect(page.html).toContain('name="password"');
      await owner.submit(page, VERIFY, { password: NEW_PASSWORD });
      expect([await statusOf(email, PASSWORD), await statusOf(email, NEW_PASSWORD)]).toEqual([401, 200]);
    }
  });

  it("I13: stays the owner's when a stranger signs up after the owner", async () => {
    const [attacker, owner, email] = [formBrowser(), formBrowser(), newEmail()];
    await signUp(owner, email);
    const own = await linkTo(email);
    await postJson("/sign-up/email", { name: "Stranger", email, password: "the stranger's choice" });
    await attacker.open("/sign-up");
    await eventually(async () => ((await mailsTo(email)).length === 2 ? true : undefined));
    const page = pageOf(await owner.open(own));
    expect(page.html).not.toContain('name="password"');
    expect(pageOf(await owner.submit(page, VERIFY, {})).status).toBe(200);
    expect([await statusOf(email, "the stranger's choice"), await statusOf(email, PASSWORD)]).toEqual([401, 200]);
    expect(await userOf(email)).toMatchObject({ name: "New person" });
  });

  it("I13: leads the owner to no authorization that the stranger has begun", async () => {
    const [attacker, owner, email, clientId] = [formBrowser(), formBrowser(), newEmail(), await newClient()];
    const login = pageOf(await attacker.open(authorizePath(clientId)));
    await signUp(attacker, email, `/sign-up${login.url.search}`);
    const page = await openMail(owner, email);
    const done = pageOf(await owner.submit(page, VERIFY, { password: NEW_PASSWORD }));
    expect(done.html).toContain('<a href="/sign-in">');
    expect(done.html).not.toContain("client_id");
  });

  it("I13: cannot be reached by a link whose mark is for another browser or another link", async () => {
    const [attacker, owner, email, other] = [formBrowser(), formBrowser(), newEmail(), newEmail()];
    await signUp(attacker, email);
    await signUp(owner, other);
    const theirs = new URLSearchParams((await linkTo(email)).split("?")[1]);
    const own = new URLSearchParams((await linkTo(other)).split("?")[1]);
    theirs.set("browser", own.get("browser") ?? "");
    expect(pageOf(await owner.open(`${VERIFY}?${theirs.toString()}`)).html).toContain('name="password"');
    expect(await isSignedIn(attacker)).toBe(false);
  });
});

describe("a mail that asks to confirm an address", () => {
  it("goes to nobody because a stranger asks for it, and not more than five times an hour because of sign-ups", async () => {
    const email = newEmail();
    await signUp(formBrowser(), email);
    expect((await postJson("/send-verification-email", { email })).status).toBe(404);
    for (let time = 0; time < 6; time++) await signUp(formBrowser(), email);
    const last = newEmail();
    await signUp(formBrowser(), last);
    await linkTo(last);
    expect((await mailsTo(email)).length).toBeLessThanOrEqual(5);
  });

  it("I02: I13: is no sign on the page of the account that there was", async () => {
    const [confirmed, pending, fresh] = [newEmail(), newEmail(), newEmail()];
    for (const email of [confirmed, pending]) await signUp(formBrowser(), email);
    const owner = formBrowser();
    await owner.submit(await openMail(owner, confirmed), VERIFY, { password: NEW_PASSWORD });
    const texts = [];
    for (const email of [confirmed, pending, fresh])
      texts.push(textOf((await signUp(formBrowser(), email)).html).replaceAll(email, "…"));
    expect(new Set(texts).size).toBe(1);
    await linkIn(fresh, "Confirm your email address");
    expect(await mailsTo(confirmed)).toHaveLength(1);
  });
});

describe("a sign-up that the policy does not allow", () => {
  it("R23: is told so, which shows the policy and not whose address is let in all the same", async () => {
    const [admin, stranger] = [newEmail(), newEmail()];
    const gateway = gatewayWith({ SIGN_UP: "domains:organization.example.com", ADMIN_EMAILS: admin });
    const pages = [];
    for (const email of [stranger, admin]) {
      const page = await signUp(formBrowser(gateway), email);
      pages.push({ status: page.status, text: textOf(page.html).replaceAll(email, "…") });
    }
    expect(pages[0]).toEqual(pages[1]);
    expect(pages[0]).toMatchObject({
      status: 403,
      text: expect.stringContaining("Only email addresses at organization.example.com"),
    });
    await linkTo(admin);
    expect(await userOf(stranger)).toBeUndefined();
    const member = newEmail("organization.example.com");
    expect((await signUp(formBrowser(gateway), member)).status).toBe(200);
  });
});
