import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import {
  confirmAddress,
  linkTo,
  newEmail,
  postJson,
  signIn,
  signUp,
  tenantsOf,
  userOf,
} from "../../support/accounts.ts";
import { formBrowser, pageOf, textOf } from "../../support/browsing.ts";
import { db, mailsTo, origin, request, withFault } from "../../support/gateway.ts";
import { AUTH, form, gatewayWith, newPerson, PASSWORD } from "../../support/oauth.ts";

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
    const past = await postJson("/sign-in/email", { email, password: PASSWORD }, foreign);
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
    const answer = await postJson("/sign-in/email", { email, password: PASSWORD, callbackURL: target });
    expect(answer.status).toBe(403);
  });

  it("F04: leads nowhere else after a mail, whatever the sign-up said about the way back", async () => {
    for (const callbackURL of ["/%09/evil.example.com", "/sign-in?next=//evil.example.com", "/"]) {
      const email = newEmail();
      await postJson("/sign-up/email", { name: "x", email, password: PASSWORD, callbackURL });
      const page = await confirmAddress(formBrowser(), email);
      const links = [...page.html.matchAll(/href="([^"]*)"/g)].map(([, link]) => link);
      expect(links).toContainEqual(expect.stringMatching(/^\/sign-in/));
      for (const link of links) expect(link).toMatch(/^(\/$|\/sign-in($|\?)|data:,$)/);
    }
  });

  it("R1: gives a new personal tenant once, and makes it again when it is missing", async () => {
    const [browser, email] = [formBrowser(), newEmail()];
    await signUp(browser, email);
    const expected = [{ id: `personal-${String((await userOf(email))?.["id"])}`, role: "owner" }];
    expect(await tenantsOf(email)).toEqual(expected);
    await confirmAddress(browser, email);
    for (const _time of [1, 2]) await signIn(formBrowser(), email);
    expect(await tenantsOf(email)).toEqual(expected);
    await db.execute(sql`delete from organization where id = ${expected[0]?.id}`);
    expect(await tenantsOf(email)).toEqual([]);
    await Promise.all([signIn(formBrowser(), email), signIn(formBrowser(), email)]);
    expect(await tenantsOf(email)).toEqual(expected);
  });
});

describe("a sign-up that fails half-way", () => {
  it.each(["reset-before", "reset-after-commit"].flatMap((mode) => [1, 2, 3, 4, 5].map((nth) => ({ mode, nth }))))(
    "is told as our failure and leaves the address free: $mode at statement $nth",
    async (fault) => {
      const [email, body] = [newEmail(), { name: "x", password: PASSWORD }];
      const failed = await withFault({ neon: fault }, () => postJson("/sign-up/email", { ...body, email }));
      expect([failed.status, failed.headers.get("retry-after")]).toEqual([503, "2"]);
      await db.execute(sql`update "user" set created_at = created_at - interval '1 minute' where email = ${email}`);
      expect((await signUp(formBrowser(), email)).status).toBe(200);
      expect((await signIn(formBrowser(), email)).status).toBe(403);
      const browser = formBrowser();
      await confirmAddress(browser, email);
      expect(textOf((await signIn(browser, email)).html)).toContain(email);
    },
  );
});

describe("SIGN_UP", () => {
  it("R23: invite opens no account but for administrators' addresses, and the answer does not say whose those are", async () => {
    const [admin, stranger] = [newEmail(), newEmail()];
    const gateway = gatewayWith({ SIGN_UP: "invite", ADMIN_EMAILS: admin });
    const pages = [];
    for (const email of [stranger, admin]) {
      const page = await signUp(formBrowser(gateway), email);
      pages.push({ status: page.status, text: textOf(page.html).replaceAll(email, "…") });
    }
    expect(pages[0]).toEqual(pages[1]);
    expect(pages[0]?.text).toContain("Sign-up is by invitation");
    await linkTo(admin);
    expect(await userOf(stranger)).toBeUndefined();
    expect(await mailsTo(stranger)).toEqual([]);
    await postJson("/sign-up/email", { name: "x", email: stranger, password: PASSWORD }, { origin }, gateway);
    expect(await userOf(stranger)).toBeUndefined();
  });

  it.each([
    ["organization.example.com", true],
    ["ORGANIZATION.example.com", true],
    ["sub.organization.example.com", false],
    ["evil-organization.example.com", false],
    ["organization.example.com.evil.example.com", false],
  ])("R23: a list of domains takes addresses at %s: %s", async (domain, taken) => {
    const email = newEmail(domain);
    await signUp(formBrowser(gatewayWith({ SIGN_UP: "domains:organization.example.com" })), email);
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
    const email = newEmail();
    const gateway = gatewayWith({ ADMIN_EMAILS: email });
    await signUp(formBrowser(gateway), email);
    expect((await signIn(formBrowser(gateway), email)).status).toBe(403);
    expect(await userOf(email)).toMatchObject({ role: "user" });
  });
});
