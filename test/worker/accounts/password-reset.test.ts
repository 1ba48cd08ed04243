import { exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  choosePassword,
  forgotPassword,
  isSignedIn,
  linkIn,
  NEW_PASSWORD,
  openResetLink,
  RESET_SUBJECT,
} from "../../support/account-forms.ts";
import { newEmail, postJson, signIn, signUp, userOf } from "../../support/accounts.ts";
import { formBrowser, leftFor, pageOf, textOf } from "../../support/browsing.ts";
import { callTool, mailsTo, origin, resetStats, stats } from "../../support/gateway.ts";
import {
  authorizePath,
  AUTH,
  codeFor,
  later,
  newClient,
  newPerson,
  PASSWORD,
  redeem,
  signInAt,
  tokensFor,
} from "../../support/oauth.ts";

const statusOf = async (email: string, password: string) => (await signIn(formBrowser(), email, password)).status;

describe("a lost password", () => {
  it("R12: is replaced by the link in a mail, which changes nothing by being opened, and signs out every browser", async () => {
    const [{ email }, other] = [await newPerson(), formBrowser()];
    await signIn(other, email);
    const browser = formBrowser();
    const login = pageOf(await browser.open("/sign-in"));
    expect(login.html).toContain('<a href="/forgot-password">Forgot your password?</a>');
    const sent = await forgotPassword(browser, email);
    expect([sent.status, textOf(sent.html)]).toEqual([200, expect.stringContaining("If there is an account")]);
    const link = await linkIn(email, RESET_SUBJECT);
    for (let look = 0; look < 3; look++) {
      const opened = pageOf(await formBrowser().open(link));
      expect([opened.status, textOf(opened.html)]).toEqual([200, expect.stringContaining("Choose a new password")]);
    }
    expect([await statusOf(email, PASSWORD), await isSignedIn(other)]).toEqual([200, true]);
    const done = await choosePassword(browser, pageOf(await browser.open(link)));
    expect([done.status, textOf(done.html)]).toEqual([200, expect.stringContaining("Your new password is set.")]);
    expect([await isSignedIn(other), await isSignedIn(browser)]).toEqual([false, false]);
    expect([await statusOf(email, PASSWORD), await statusOf(email, NEW_PASSWORD)]).toEqual([401, 200]);
    await linkIn(email, "Your password was changed");
  });

  it("H06: ends what a session of somebody else had begun: pages at once, and a code that was not redeemed yet", async () => {
    const [person, clientId, stranger] = [await newPerson(), await newClient(), formBrowser()];
    const code = await codeFor(clientId, person, {}, stranger);
    expect(pageOf(await stranger.open("/dashboard/account")).status).toBe(200);
    const owner = formBrowser();
    await choosePassword(owner, await openResetLink(owner, person.email));
    expect(pageOf(await stranger.open("/dashboard/account")).url.pathname).toBe("/sign-in");
    const key = await stranger.send(`${AUTH}/api-key/create`, {
      method: "POST",
      headers: { "content-type": "application/json", origin },
      body: JSON.stringify({ name: "mine" }),
    });
    expect(key.status).toBe(401);
    expect((await redeem(clientId, code)).status).toBe(400);
  });

  it("leaves connected apps connected", async () => {
    const [person, clientId, browser] = [await newPerson(), await newClient(), formBrowser()];
    const { access_token: token } = await tokensFor(clientId, person);
    const done = await choosePassword(browser, await openResetLink(browser, person.email));
    expect(textOf(done.html)).toContain("Connected apps and API keys keep working");
    expect((await callTool("echo", { text: "x" }, { token })).status).toBe(200);
  });

  it("leads back to the authorization at which it was missed", async () => {
    const [person, clientId, browser] = [await newPerson(), await newClient(), formBrowser()];
    const login = pageOf(await browser.open(authorizePath(clientId)));
    const [, path = ""] = /href="(\/forgot-password\?[^"]*)"/.exec(login.html) ?? [];
    const page = pageOf(await browser.open(path.replaceAll("&amp;", "&")));
    await browser.submit(page, "/forgot-password", { email: person.email });
    const done = await choosePassword(browser, pageOf(await browser.open(await linkIn(person.email, RESET_SUBJECT))));
    const next = /href="(\/sign-in\?[^"]*)"/.exec(done.html)?.[1]?.replaceAll("&amp;", "&") ?? "";
    const consent = pageOf(await signInAt(browser, await browser.open(next), person, NEW_PASSWORD));
    const answer = leftFor(await browser.submit(consent, "/consent", { decision: "allow" }));
    expect(answer.searchParams.get("code")).not.toBeNull();
  });

  it.each(["//evil.example.com", "https://evil.example.com/sign-in?x=y", "/sign-in?next=//evil.example.com"])(
    "F04: leads nowhere else: %s",
    async (target) => {
      const [{ email }, browser] = [await newPerson(), formBrowser()];
      const answer = await postJson("/request-password-reset", { email, redirectTo: target });
      if (answer.status === 403) return expect(await mailsTo(email)).toEqual([]);
      const done = await choosePassword(browser, pageOf(await browser.open(await linkIn(email, RESET_SUBJECT))));
      const links = [...done.html.matchAll(/href="([^"]*)"/g)].map(([, link]) => link);
      for (const link of links) expect(link).toMatch(/^(\/$|\/sign-in$|data:,$)/);
    },
  );
});

describe("the answer to a request for a link", () => {
  it("I02: is the same for an account, for one that is not confirmed, and for none, and costs the same", async () => {
    const [known, unknown, unconfirmed] = [(await newPerson()).email, newEmail(), newEmail()];
    await signUp(formBrowser(), unconfirmed);
    const seen = [];
    for (const email of [known, unknown, unconfirmed]) {
      const page = await forgotPassword(formBrowser(), email);
      await resetStats();
      const answer = await postJson("/request-password-reset", { email });
      const { log } = await stats();
      seen.push({
        status: page.status,
        text: textOf(page.html).replaceAll(email, "…"),
        answer: [answer.status, await answer.text()],
        // Mails come after the answer; the development mailbox is a list in Redis.
        asked: log.filter(({ what }) => !what.some((command) => /^l(push|trim)$/.test(command))),
      });
    }
    const withoutTimes = seen.map(({ asked, ...rest }) => ({
      ...rest,
      asked: asked.map(({ to, what }) => [to, what]),
    }));
    expect(withoutTimes[1]).toEqual(withoutTimes[0]);
    expect(withoutTimes[2]).toEqual(withoutTimes[0]);
    await linkIn(known, RESET_SUBJECT);
    await linkIn(unconfirmed, RESET_SUBJECT);
    expect(await mailsTo(unknown)).toEqual([]);
  });

  it("I08: does not show that only three mails an hour go to an address", async () => {
    const { email } = await newPerson();
    const texts = new Set<string>();
    for (let time = 0; time < 5; time++) texts.add(textOf((await forgotPassword(formBrowser(), email)).html));
    expect(texts.size).toBe(1);
    await linkIn(email, RESET_SUBJECT);
    expect((await mailsTo(email)).length).toBeLessThanOrEqual(3);
  });

  it.each(["a@b..c", "a\r\nbcc: b@example.com", "no-address", `${"x".repeat(250)}@example.com`])(
    "I10: is a refusal for what is no address: %j",
    async (email) => {
      expect((await postJson("/request-password-reset", { email })).status).toBe(400);
      expect((await forgotPassword(formBrowser(), email)).status).toBe(400);
      expect(await mailsTo(email)).toEqual([]);
    },
  );

  it("I10: reaches the account however the address is capitalised", async () => {
    const { email } = await newPerson();
    await forgotPassword(formBrowser(), email.toUpperCase());
    expect(await linkIn(email, RESET_SUBJECT)).toMatch(/^\/reset-password\?token=/);
  });
});

describe("the link for a new password", () => {
  it("I08: works once: of eight at the same moment one wins, and afterwards nobody", async () => {
    const [{ email }, browser] = [await newPerson(), formBrowser()];
    const page = await openResetLink(browser, email);
    const token = page.url.searchParams.get("token") ?? "";
    const passwords = Array.from({ length: 8 }, (_one, index) => `the password of guess ${index}`);
    const answers = await Promise.all(
      passwords.map((newPassword) => postJson("/reset-password", { token, newPassword })),
    );
    const winners = passwords.filter((_password, index) => answers[index]?.status === 200);
    expect(winners).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(7);
    const works = [];
    for (const password of passwords) {
      const answer = await postJson("/sign-in/email", { email, password });
      if (answer.status === 200) works.push(password);
    }
    expect(works).toEqual(winners);
    const again = await choosePassword(browser, page);
    expect([again.status, textOf(again.html)]).toEqual([400, expect.stringContaining("has expired or was used")]);
    expect(again.html).toContain('href="/forgot-password"');
  });

  it("I08: works for 30 minutes", async () => {
    const [{ email }, browser] = [await newPerson(), formBrowser()];
    const page = await openResetLink(browser, email);
    await later(29 * 60, async () => expect(pageOf(await browser.open(page.url.href)).status).toBe(200));
    await later(31 * 60, async () => {
      expect(pageOf(await browser.open(page.url.href)).status).toBe(400);
      expect((await choosePassword(browser, page)).status).toBe(400);
    });
    expect(await statusOf(email, PASSWORD)).toBe(200);
  });

  it("I08: works for its account only, as it is, and not under another name", async () => {
    const [victim, { email }, browser] = [await newPerson(), await newPerson(), formBrowser()];
    const page = await openResetLink(browser, email);
    const token = page.url.searchParams.get("token") ?? "";
    const [claims = "", mac = ""] = token.split(".");
    const [expiresAt, content] = JSON.parse(Buffer.from(claims, "base64url").toString()) as [number, object];
    expect(content).toHaveProperty("userId");
    const forged = Buffer.from(JSON.stringify([expiresAt, { ...content, userId: victim.id }])).toString("base64url");
    for (const bad of [`${forged}.${mac}`, `${claims}.${"A".repeat(43)}`, claims, `${token}A`, "x", ""]) {
      const refused = await postJson("/reset-password", { token: bad, newPassword: NEW_PASSWORD });
      expect(refused.status).toBe(400);
      expect(
        pageOf(await browser.open(`/reset-password?${new URLSearchParams({ token: bad }).toString()}`)).status,
      ).toBe(400);
    }
    expect([await statusOf(email, PASSWORD), await statusOf(victim.email, PASSWORD)]).toEqual([200, 200]);
  });

  it("I08: an older one ends when the password was changed meanwhile", async () => {
    const [{ email }, browser] = [await newPerson(), formBrowser()];
    const older = await openResetLink(browser, email);
    await forgotPassword(browser, email);
    const newer = await linkIn(email, RESET_SUBJECT);
    expect((await choosePassword(browser, pageOf(await browser.open(newer)))).status).toBe(200);
    expect((await choosePassword(browser, older, "a third passphrase")).status).toBe(400);
    expect(await statusOf(email, NEW_PASSWORD)).toBe(200);
  });

  it("I08: leads to this gateway, whatever host the request names", async () => {
    const { email } = await newPerson();
    const answer = await exports.default.fetch(
      new Request(`http://evil.example.com${AUTH}/request-password-reset`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          origin,
          "x-forwarded-host": "evil.example.com",
          "cf-connecting-ip": "198.51.100.77",
        },
        body: JSON.stringify({ email }),
      }),
    );
    expect(answer.status).toBe(200);
    await linkIn(email, RESET_SUBJECT);
    for (const { links } of await mailsTo(email)) expect(links[0]).toMatch(new RegExp(`^${origin}/reset-password\\?`));
  });

  it.each(["short", "x".repeat(129)])(
    "takes a password of sensible length, not %s, and stays good",
    async (password) => {
      const [{ email }, browser] = [await newPerson(), formBrowser()];
      const page = await openResetLink(browser, email);
      const refused = await choosePassword(browser, page, password);
      expect([refused.status, textOf(refused.html)]).toEqual([400, expect.stringContaining("10 to 128 characters")]);
      expect((await choosePassword(browser, refused)).status).toBe(200);
    },
  );

  it("I13: confirms the address, which its reader has proved, and nobody keeps a session or a password", async () => {
    const [stranger, owner, email] = [formBrowser(), formBrowser(), newEmail()];
    await signUp(stranger, email);
    await choosePassword(owner, await openResetLink(owner, email));
    expect(await userOf(email)).toMatchObject({ email_verified: true });
    expect([await statusOf(email, PASSWORD), await statusOf(email, NEW_PASSWORD)]).toEqual([401, 200]);
  });
});
