import { describe, expect, it } from "vitest";
import { browser, hiddenFields } from "./browser.ts";
import { ORIGIN, pagesOnScript, visitor } from "./scripted.ts";

describe("a form post", () => {
  const FORMS = ["/sign-in", "/sign-up", "/sign-out", "/verify-email", "/consent"];

  it.each(FORMS)("Q03: to %s from another site asks Better Auth nothing", async (path) => {
    const { person, asked } = visitor({});
    for (const headers of [
      { origin: "https://evil.example.com" },
      { origin: "null", "sec-fetch-site": "cross-site" },
    ]) {
      const answer = await person.post(path, {}, headers);
      expect(answer.status).toBe(403);
    }
    expect(asked).toEqual([]);
  });

  it.each(FORMS)("to %s without a token asks Better Auth nothing", async (path) => {
    const { person, asked } = visitor({});
    await person.get("/sign-in");
    const answer = await person.post(path, { email: "a@example.com", password: "x" });
    expect(answer.status).toBe(403);
    expect(answer.html).toContain("This form has expired");
    expect(asked).toEqual([]);
  });

  it("with the token of another form asks Better Auth nothing", async () => {
    const { person, asked } = visitor({}, { signedIn: false });
    const { form = "" } = hiddenFields(await person.get("/sign-up"), "/sign-up");
    expect((await person.post("/sign-in", { form })).status).toBe(403);
    expect(asked).toEqual([]);
  });

  it("passes on the cookies that Better Auth sets and no other header", async () => {
    const answers = {
      "/sign-in/email": { body: {}, headers: { "set-cookie": "a=b; HttpOnly", "x-other": "1", location: "/x" } },
    };
    const { person } = visitor(answers, { signedIn: false });
    const answer = await person.submit(await person.get("/sign-in"), "/sign-in", { email: "a", password: "b" });
    expect([answer.status, answer.location]).toEqual([303, "/"]);
    expect(answer.headers.getSetCookie()).toEqual(["a=b; HttpOnly"]);
    expect(answer.headers.has("x-other")).toBe(false);
  });

  it("hands on the caller's address and browser, and no header that the caller could use otherwise", async () => {
    const { person, asked } = visitor({ "/sign-in/email": { status: 401 } }, { signedIn: false });
    await person.submit(
      await person.get("/sign-in"),
      "/sign-in",
      { email: " a@example.com ", password: " p " },
      {
        "cf-connecting-ip": "203.0.113.7",
        "user-agent": "test",
        "x-forwarded-for": "1.2.3.4",
        authorization: "Bearer x",
      },
    );
    expect(asked[0]?.body).toEqual({ email: "a@example.com", password: " p " });
    expect(asked[0]?.headers).toMatchObject({
      "cf-connecting-ip": "203.0.113.7",
      "user-agent": "test",
      origin: ORIGIN,
    });
    expect(Object.keys(asked[0]?.headers ?? {})).not.toEqual(expect.arrayContaining(["x-forwarded-for"]));
    expect(Object.keys(asked[0]?.headers ?? {})).not.toEqual(expect.arrayContaining(["authorization"]));
  });
});

describe("sign-up", () => {
  it("names what is wrong at the field, keeps name and address, and drops the password", async () => {
    const { person, asked } = visitor({}, { signedIn: false });
    const page = await person.submit(await person.get("/sign-up"), "/sign-up", {
      name: "Test Person",
      email: "nowhere",
      password: "too short",
    });
    expect(page.status).toBe(400);
    expect(page.html).toContain('id="email-problem" class="problem" role="alert"');
    expect(page.html).toContain('aria-describedby="password-problem password-hint"');
    expect(page.html).toContain('value="Test Person"');
    expect(page.html).not.toContain("too short");
    expect(asked).toEqual([]);
  });

  it("says who may sign up when Better Auth refuses", async () => {
    const refused = { status: 403, body: { code: "SIGN_UP_CLOSED" } };
    const { app } = pagesOnScript(
      { "/sign-up/email": refused },
      { SIGN_UP: { kind: "domains", domains: ["example.com"] } },
    );
    const person = browser(app, ORIGIN);
    const entered = { name: "A", email: "a@other.example", password: "long enough password" };
    const page = await person.submit(await person.get("/sign-up"), "/sign-up", entered);
    expect(page.status).toBe(403);
    expect(page.html).toContain("Only email addresses at example.com can create an account.");
  });
});
