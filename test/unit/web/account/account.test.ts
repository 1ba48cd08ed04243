import { describe, expect, it } from "vitest";
import { ORIGIN, pagesOnBetterAuth } from "../better-auth.ts";
import { browser, hiddenFields, type Page } from "../browser.ts";
import { PERSON, signIn, signUpAndVerify } from "../person.ts";

const withoutNonce = ({ html }: Page) => html.replace(/nonce="[^"]*"/, "");

describe("an account", () => {
  it("is opened, confirmed by a click on the page behind the mailed link, and signed in to", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    const sent = await person.submit(await person.get("/sign-up"), "/sign-up", PERSON);
    expect(sent.html).toContain("Check your email");

    const early = await signIn(person, await person.get("/sign-in"));
    expect(early.status).toBe(403);
    expect(early.html).toContain("Confirm your address first");
    expect(pages.mails).toHaveLength(2);

    const link = new URL(pages.mails[0]?.links[0] ?? "");
    const opened = await person.get(`${link.pathname}${link.search}`);
    expect(opened.html).toContain("Confirm address");
    expect(pages.rows["user"]?.[0]).toMatchObject({ emailVerified: false });
    const confirmed = await person.submit(opened, "/verify-email", {});
    expect(confirmed.html).toContain("Address confirmed");

    const done = await signIn(person, await person.get("/sign-in"));
    expect([done.status, done.location]).toEqual([303, "/"]);
    const home = await person.get("/");
    expect(home.html).toContain(PERSON.email);

    const out = await person.submit(home, "/sign-out", {});
    expect([out.status, out.location]).toEqual([303, "/"]);
    expect((await person.get("/")).html).not.toContain(PERSON.email);
  });

  it("I02: cannot be told from a new one at sign-up", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    const first = await person.submit(await person.get("/sign-up"), "/sign-up", PERSON);
    const second = await person.submit(await person.get("/sign-up"), "/sign-up", { ...PERSON, name: "Other" });
    expect(second.status).toBe(first.status);
    expect(withoutNonce(second)).toBe(withoutNonce(first));
    expect(pages.mails.map(({ subject }) => subject)).toEqual(Array(2).fill("Confirm your email address"));
  });

  it("is refused alike for a wrong password and for an unknown address, keeping the address and not the password", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    await signUpAndVerify(pages, person);
    const wrong = await signIn(person, await person.get("/sign-in"), "not the password");
    const unknown = await person.submit(await person.get("/sign-in"), "/sign-in", {
      email: "nobody@example.com",
      password: "not the password",
    });
    for (const page of [wrong, unknown]) {
      expect(page.status).toBe(401);
      expect(page.html).toContain("This email address and password do not match an account.");
      expect(page.html).not.toContain("not the password");
    }
    expect(wrong.html).toContain(`value="${PERSON.email}"`);
  });

  it("is protected by Better Auth's limit, whose wait is passed on", async () => {
    const person = browser(pagesOnBetterAuth().app, ORIGIN);
    const page = await person.get("/sign-in");
    let attempts = 0;
    let answer = page;
    while (answer.status !== 429 && attempts++ < 100)
      answer = await person.submit(page, "/sign-in", { email: "nobody", password: "x" });
    expect(answer.status).toBe(429);
    const wait = Number(answer.headers.get("retry-after"));
    expect(wait).toBeGreaterThan(0);
    expect(answer.html).toContain(`Wait ${wait} seconds, then try again.`);
  });

  it("is not opened on an invitation-only gateway, and the answer does not say who is invited", async () => {
    const pages = pagesOnBetterAuth({ SIGN_UP: "invite" });
    const person = browser(pages.app, ORIGIN);
    const page = await person.submit(await person.get("/sign-up"), "/sign-up", PERSON);
    expect(page.html).toContain("by invitation");
    expect(pages.rows["user"]).toEqual([]);
    expect(pages.mails).toEqual([]);
  });

  it("is not confirmed by a token that was changed", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    await person.submit(await person.get("/sign-up"), "/sign-up", PERSON);
    const link = new URL(pages.mails[0]?.links[0] ?? "");
    const opened = await person.get(`${link.pathname}${link.search}`);
    const { token = "" } = hiddenFields(opened, "/verify-email");
    const refused = await person.submit(opened, "/verify-email", { token: `${token.slice(0, -4)}AAAA` });
    expect(refused.status).toBe(400);
    expect(refused.html).toContain("This link has expired or was used");
  });
});
