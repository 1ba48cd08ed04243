import { describe, expect, it } from "vitest";
import {
  choosePassword,
  isSignedIn,
  NEW_PASSWORD,
  openResetLink,
  submitAccountForm,
} from "../../support/account-forms.ts";
import { newEmail, postJson, signIn } from "../../support/accounts.ts";
import { formBrowser, textOf, type FormBrowser } from "../../support/browsing.ts";
import { origin, request, resetStats, stats, withFault } from "../../support/gateway.ts";
import { AUTH, later, newPerson, PASSWORD } from "../../support/oauth.ts";

const WRONG = "wrong password here";
const DEVICE = "mrg.device";

/** One try from a network address that nobody else uses. */
const attempt = (email: string, password = WRONG, cookie = "") =>
  postJson("/sign-in/email", { email, password }, { origin, cookie });

const waitOf = (answer: Response) => Number(answer.headers.get("retry-after"));

/** Wrong passwords, one after the other, until there is a wait. */
async function exhaust(email: string, cookie = ""): Promise<number[]> {
  const statuses = [];
  for (let time = 0; time < 5; time++) statuses.push((await attempt(email, WRONG, cookie)).status);
  return statuses;
}

/** A browser in which the person has signed in before and signed out again. */
async function knownBrowser(email: string): Promise<FormBrowser> {
  const browser = formBrowser();
  await signIn(browser, email);
  browser.cookies.delete("mrg.session_token");
  return browser;
}

const deviceCookie = (browser: FormBrowser) => `${DEVICE}=${browser.cookies.get(DEVICE)}`;

describe("failed sign-ins at one account", () => {
  it("I03: from many network addresses meet growing waits, and a right password then waits, too", async () => {
    const { email } = await newPerson();
    expect(await exhaust(email)).toEqual([401, 401, 401, 401, 401]);
    let passed = 0;
    const waits = [];
    for (let round = 0; round < 7; round++) {
      const refused = await later(passed, () => attempt(email, PASSWORD));
      expect(refused.status).toBe(429);
      waits.push(Math.round(waitOf(refused) / 60));
      passed += waitOf(refused) + 1;
      expect((await later(passed, () => attempt(email))).status).toBe(401);
    }
    expect(waits).toEqual([1, 2, 4, 8, 15, 15, 15]);
    const after = await later(passed + 901, () => attempt(email, PASSWORD));
    expect(after.status).toBe(200);
    expect((await attempt(email)).status).toBe(401);
  });

  it("I02: I03: look the same where there is no account", async () => {
    const seen = [];
    for (const email of [(await newPerson()).email, newEmail()]) {
      const statuses = await exhaust(email);
      const refused = await attempt(email.toUpperCase());
      seen.push({ statuses, status: refused.status, wait: waitOf(refused), body: await refused.text() });
    }
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]).toMatchObject({ status: 429, wait: 60 });
  });

  it("I03: at the same moment count before any is checked", async () => {
    const { email } = await newPerson();
    const answers = await Promise.all(Array.from({ length: 20 }, () => attempt(email)));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(15);
  });

  it("R01: I03: that have to wait cost two Redis requests, and neither a statement nor a hash", async () => {
    const { email } = await newPerson();
    await exhaust(email);
    await resetStats();
    const refused = await attempt(email, PASSWORD);
    const { sqlRequests, redisRequests } = await stats();
    expect([refused.status, sqlRequests, redisRequests]).toEqual([429, 0, 2]);
  });

  it("are explained on the page, with the wait and another way in", async () => {
    const { email } = await newPerson();
    await exhaust(email);
    const page = await signIn(formBrowser(), email);
    expect([page.status, page.headers.get("retry-after")]).toEqual([429, "60"]);
    expect(textOf(page.html)).toContain("Too many attempts. Wait 60 seconds, then try again.");
    expect(page.html).toContain('href="/forgot-password"');
  });

  it("are not counted when the request is none", async () => {
    const { email } = await newPerson();
    for (const body of [{ email }, { email, password: 1 }, { email: [email], password: "x" }, {}])
      for (let time = 0; time < 5; time++) expect((await postJson("/sign-in/email", body)).status).toBe(400);
    expect((await attempt(email, PASSWORD)).status).toBe(200);
  });

  it("are not counted beside right ones", async () => {
    const { email } = await newPerson();
    for (let time = 0; time < 8; time++) expect((await attempt(email, PASSWORD)).status).toBe(200);
  });

  it("are refused while neither Redis nor Postgres can count them", async () => {
    const { email } = await newPerson();
    for (const upstash of [{ mode: "down" }, { mode: "reset-before", nth: 2 }]) {
      const answer = await withFault({ upstash, neon: { mode: "down" } }, () => attempt(email, PASSWORD));
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"]);
    }
    expect((await attempt(email, PASSWORD)).status).toBe(200);
  });
});

describe("the owner of an account under attack", () => {
  it("I03: goes on with open sessions, and signs in where they have signed in before", async () => {
    const { email } = await newPerson();
    const [browser, open] = [await knownBrowser(email), formBrowser()];
    await signIn(open, email);
    await exhaust(email);
    expect((await attempt(email, PASSWORD)).status).toBe(429);
    expect(await isSignedIn(open)).toBe(true);
    expect((await submitAccountForm(open, "name", { name: "Under attack" })).status).toBe(200);
    expect((await signIn(browser, email)).status).toBe(200);
  });

  it("I03: that sign-in clears its own counter only, and neither it nor a page that is loaded again clears the attacker's", async () => {
    const { email } = await newPerson();
    const browser = await knownBrowser(email);
    await exhaust(email);
    await signIn(browser, email);
    for (let time = 0; time < 3; time++) await browser.open("/");
    await request("/sign-in");
    expect((await attempt(email, PASSWORD)).status).toBe(429);
  });

  it("I03: is slowed down there as well after wrong passwords, without effect elsewhere", async () => {
    const { email } = await newPerson();
    const browser = await knownBrowser(email);
    expect(await exhaust(email, deviceCookie(browser))).toEqual([401, 401, 401, 401, 401]);
    expect((await attempt(email, PASSWORD, deviceCookie(browser))).status).toBe(429);
    expect((await attempt(email, PASSWORD)).status).toBe(200);
  });

  it("I03: signs in at once in a new browser after choosing a new password by mail", async () => {
    const { email } = await newPerson();
    await exhaust(email);
    const browser = formBrowser();
    await choosePassword(browser, await openResetLink(browser, email));
    expect((await attempt(email, NEW_PASSWORD)).status).toBe(429);
    expect((await signIn(browser, email, NEW_PASSWORD)).status).toBe(200);
  });

  it("I03: cannot be imitated: the mark of a browser is for one account and cannot be made up", async () => {
    const [victim, attacker] = [await newPerson(), await newPerson()];
    const [known, own] = [await knownBrowser(victim.email), await knownBrowser(attacker.email)];
    await exhaust(victim.email);
    const [id = "", mac = ""] = (known.cookies.get(DEVICE) ?? "").split(".");
    const [ownId = "", ownMac = ""] = (own.cookies.get(DEVICE) ?? "").split(".");
    for (const value of [`${ownId}.${ownMac}`, `${ownId}.${mac}`, `${id}.${ownMac}`, id, `${id}.${"A".repeat(43)}`]) {
      expect((await attempt(victim.email, PASSWORD, `${DEVICE}=${value}`)).status).toBe(429);
    }
    expect((await attempt(victim.email, PASSWORD, deviceCookie(known))).status).toBe(200);
  });

  it("the mark is out of reach of scripts and other sites, and one browser serves several people", async () => {
    const [one, two] = [await newPerson(), await newPerson()];
    const browser = formBrowser();
    for (const { email } of [one, two]) await signIn(browser, email);
    const lines = browser.cookieLines.filter((line) => line.startsWith(`${DEVICE}=`));
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toMatch(/; Max-Age=34560000; Path=\/; HttpOnly; SameSite=Lax$/i);
    for (const { email } of [one, two]) await exhaust(email);
    for (const { email } of [one, two])
      expect((await attempt(email, PASSWORD, deviceCookie(browser))).status).toBe(200);
  });
});

describe("wrong passwords in a session", () => {
  it.each([
    ["/change-password", { currentPassword: WRONG, newPassword: NEW_PASSWORD }],
    ["/change-email", { newEmail: newEmail(), password: WRONG }],
    ["/delete-user", { password: WRONG }],
  ])("R01: I03: at %s meet the same waits, which leave signing in alone", async (path, body) => {
    const { email } = await newPerson();
    const browser = formBrowser();
    await signIn(browser, email);
    const send = () =>
      browser.send(`${AUTH}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", origin },
        body: JSON.stringify(path === "/delete-user" ? { ...body, email } : body),
      });
    for (let time = 0; time < 5; time++) expect((await send()).status).toBe(400);
    const refused = await send();
    expect([refused.status, waitOf(refused)]).toEqual([429, 60]);
    expect((await attempt(email, PASSWORD)).status).toBe(200);
    expect(await isSignedIn(browser)).toBe(true);
  });
});
