import { describe, expect, it } from "vitest";
import { AUTH_PAGES } from "../../../src/auth/auth.ts";
import { browser, hiddenFields } from "./browser.ts";
import { ORIGIN, pagesOnScript, session, signedQuery, type Answer } from "./scripted.ts";

const SESSION_COOKIE = "__Secure-mrg.session_token";
/** Ways to leave text and enter markup, attributes, scripts, styles, templates or another line. */
const XSS = [
  "<script>alert(1)</script>",
  "</title><script>alert(1)</script>",
  "</style><script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "'><svg/onload=alert(1)>",
  '" autofocus onfocus="alert(1)',
  "' onmouseover='alert(1)",
  "<!--<script>alert(1)//-->",
  "]]><script>alert(1)</script>",
  "<iframe srcdoc='<script>alert(1)</script>'>",
  "<a href=javascript:alert(1)>x</a>",
  "<math><mi//xlink:href='data:x,<script>alert(1)</script>'>",
  "&lt;script&gt;alert(1)&lt;/script&gt;<b>",
  "{{constructor.constructor('alert(1)')()}}<b>",
  "${alert(1)}<b>",
  "<base href=//evil.example.com>",
  "<meta http-equiv=refresh content=0;url=//evil.example.com>",
  "<form action=//evil.example.com><button>Allow",
  "\u202e<b>\u0000\u001b[31m",
  "<\u0000script>alert(1)</script>",
];
/** Every tag that the pages themselves write; `svg`, `img`, `script`, `iframe` and the like are not among them. */
const OWN_TAGS = new Set(
  "html head meta title link style body header a main div h1 h2 h3 p footer section form input label button strong bdi ul li dl dt dd code pre".split(
    " ",
  ),
);

function expectOnlyOwnMarkup(html: string): void {
  const tags = [...html.matchAll(/<\/?([a-z0-9-]+)/gi)].map(([, name = ""]) => name.toLowerCase());
  expect(tags.filter((name) => !OWN_TAGS.has(name))).toEqual([]);
  const attributes = [...html.matchAll(/<[a-z0-9]+((?:\s+[\w-]+(?:="[^"]*")?)*)\s*\/?>/gi)].flatMap(([, list = ""]) =>
    [...list.matchAll(/([\w-]+)(?:="[^"]*")?/g)].map(([, name = ""]) => name),
  );
  expect(attributes.filter((name) => name.startsWith("on") || name === "style" || name === "srcdoc")).toEqual([]);
  expect(html.match(/<b\b/i)).toBeNull();
  expect(html.match(/[\u0000\u001b\u202e]/)).toBeNull();
}

function visitor(answers: Readonly<Record<string, Answer | Error>>, signedIn = true) {
  const pages = pagesOnScript(answers);
  const person = browser(pages.app, ORIGIN);
  if (signedIn) person.cookies.set(SESSION_COOKIE, "token");
  return { ...pages, person };
}

const client = (name: string): Answer => ({ body: { client_id: "client-1", client_name: name } });

describe("text that others choose", () => {
  it.each(XSS)("is text on the consent page: %j", async (text) => {
    const { person } = visitor({
      "/get-session": session({ name: text, email: text }),
      "/oauth2/public-client": client(text),
    });
    const query = await signedQuery({ scope: `openid ${text.replaceAll(" ", "_")}`, resource: text, client_id: text });
    const page = await person.get(`/consent?${query}`);
    expect(page.status).toBe(200);
    expectOnlyOwnMarkup(page.html);
  });

  it.each(XSS)("is text on the home page: %j", async (text) => {
    const { person } = visitor({ "/get-session": session({ name: text, email: text }) });
    expectOnlyOwnMarkup((await person.get("/")).html);
  });

  it.each(XSS)("is text where a form shows it again: %j", async (text) => {
    const { person } = visitor({ "/sign-in/email": { status: 401 }, "/sign-up/email": { status: 200 } });
    const signIn = await person.submit(await person.get("/sign-in"), "/sign-in", { email: text, password: text });
    expect(signIn.status).toBe(401);
    const signUp = await person.submit(await person.get("/sign-up"), "/sign-up", {
      name: text,
      email: text,
      password: text,
    });
    const verify = await person.get(`/verify-email?${new URLSearchParams({ token: text, next: text }).toString()}`);
    for (const { html } of [signIn, signUp, verify]) expectOnlyOwnMarkup(html.replaceAll(/value="[^"]*"/g, 'value=""'));
    for (const { html } of [signIn, signUp, verify]) expect(html).not.toMatch(/value="[^"]*[<>][^"]*"/);
  });

  it.each(XSS)("never reaches the error page: %j", async (text) => {
    const { person } = visitor({}, false);
    const search = new URLSearchParams({ error: text, error_description: `described ${text}` }).toString();
    const page = await person.get(`/error?${search}`);
    expect(page.status).toBe(400);
    expect(page.html).not.toContain("described");
    expect(page.html).toBe(
      (await person.get("/error?error=nothing_known")).html.replace(
        /nonce="[^"]*"/,
        /nonce="[^"]*"/.exec(page.html)?.[0] ?? "",
      ),
    );
  });
});

describe("the error page", () => {
  it.each(["invalid_redirect", "invalid_client", "access_denied", "invalid_target"])("explains %s", async (code) => {
    const page = await visitor({}, false).person.get(`/error?error=${code}&error_description=described`);
    expect(page.html).toContain(`<code>${code}</code>`);
    expect(page.html).not.toContain("described");
  });

  it.each(["constructor", "__proto__", "toString", "hasOwnProperty"])("knows no %s", async (code) => {
    const page = await visitor({}, false).person.get(`/error?error=${code}`);
    expect(page.status).toBe(400);
    expect(page.html).toContain("That did not work");
  });
});

describe("the consent page", () => {
  const asked = async (change: Record<string, string> = {}, answers: Record<string, Answer> = {}) => {
    const all = { "/get-session": session(), "/oauth2/public-client": client("Tool"), ...answers };
    const visit = visitor(all);
    return { ...visit, page: await visit.person.get(`/consent?${await signedQuery(change)}`) };
  };

  it("is where Better Auth sends people", () => {
    expect(AUTH_PAGES).toEqual({ consent: "/consent", error: "/error", verifyEmail: "/verify-email" });
  });

  it("names scopes in words and those it does not know by their name", async () => {
    const { page } = await asked({ scope: "keys:write custom:thing" });
    expect(page.html).toContain("Create, change and revoke your API keys");
    expect(page.html).toContain("Use the permission “custom:thing”");
  });

  it("warns of a redirect to this computer or to an app, beside the warning that nobody verified the client", async () => {
    const loopback = await asked({ redirect_uri: "http://localhost:3000/cb" });
    expect(loopback.page.html).toContain("whatever program listens there");
    const app = await asked({ redirect_uri: "cursor://anysphere.cursor-mcp/oauth/callback" });
    expect(app.page.html).toContain("the app for cursor: links");
    expect(app.page.headers.get("content-security-policy")).toContain("form-action 'self' cursor:;");
    const site = await asked();
    expect(site.page.html).toContain("app.example.com");
    expect(site.page.html).not.toContain("whatever program");
    for (const { page } of [loopback, app, site]) expect(page.html).toContain("Nobody has verified this app.");
  });

  it("shows the host of a client that publishes its own metadata", async () => {
    const { page } = await asked({ client_id: "https://client.example.com/oauth/client.json" });
    expect(page.html).toContain("Published by");
    expect(page.html).toContain("client.example.com");
  });

  it("asks Better Auth for a session that is looked up, in the browser's name and ours", async () => {
    const { asked: requests } = await asked();
    expect(requests[0]).toMatchObject({ method: "GET", path: "/get-session" });
    expect(requests[0]?.headers).toMatchObject({ origin: ORIGIN });
    expect(requests[0]?.headers["cookie"]).toContain(SESSION_COOKIE);
  });

  it("does not follow Better Auth to a place that is neither ours nor the client's", async () => {
    for (const url of ["https://evil.example.com/callback?code=1", "//evil.example.com", "javascript:alert(1)", ""]) {
      const { person, page, logged } = await asked({}, { "/oauth2/consent": { body: { redirect: true, url } } });
      const answer = await person.submit(page, "/consent", { decision: "allow" });
      expect([answer.status, answer.location]).toEqual([500, null]);
      expect(logged.join()).toContain("web.unexpected_target");
    }
  });

  it("takes no decision but Allow and Deny", async () => {
    const { person, page, asked: requests } = await asked();
    for (const decision of ["", "ALLOW", "true"])
      expect((await person.submit(page, "/consent", { decision })).status).toBe(400);
    expect(requests.map(({ path }) => path)).not.toContain("/oauth2/consent");
  });

  it("says so when the client is gone", async () => {
    const { page } = await asked({}, { "/oauth2/public-client": { status: 404 } });
    expect(page.html).toContain("This gateway does not know the app");
  });
});

describe("every page", () => {
  const PATHS = ["/", "/sign-in", "/sign-up", "/verify-email?token=x", "/verify-email", "/consent", "/error?error=x"];

  it.each(PATHS)("sends its security headers: %s", async (path) => {
    const { headers, html } = await visitor({}, false).person.get(path);
    const nonce = /<style nonce="([\w-]{22})">/.exec(html)?.[1] ?? "none";
    expect(headers.get("content-security-policy")).toBe(
      `default-src 'none'; style-src 'nonce-${nonce}'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    );
    expect(Object.fromEntries(headers)).toMatchObject({
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "cross-origin-opener-policy": "same-origin",
      "cache-control": "no-store",
      "strict-transport-security": "max-age=31536000; includeSubDomains",
      "content-type": "text/html; charset=UTF-8",
    });
  });

  it.each(PATHS)("needs no script, has one heading, a language and labelled inputs: %s", async (path) => {
    const { html } = await visitor({}, false).person.get(path);
    expect(html).toMatch(/^<!doctype html><html lang="en">/);
    expect(html.match(/<script|javascript:|\son\w+=/i)).toBeNull();
    expect(html.match(/<h1>/g)).toHaveLength(1);
    expect(html.match(/<main/g)).toHaveLength(1);
    const inputs = [...html.matchAll(/<input id="([^"]+)"/g)].map(([, id]) => id);
    const labels = [...html.matchAll(/<label for="([^"]+)"/g)].map(([, id]) => id);
    expect(labels).toEqual(inputs);
    expect(html.match(/autocomplete="/g) ?? []).toHaveLength(inputs.length);
  });

  it("has a nonce of its own", async () => {
    const { person } = visitor({}, false);
    const policies = [await person.get("/sign-in"), await person.get("/sign-in")].map(({ headers }) =>
      headers.get("content-security-policy"),
    );
    expect(policies[0]).not.toBe(policies[1]);
  });

  it("has a form cookie that other hosts cannot set, and keeps the one there is", async () => {
    const { person } = visitor({}, false);
    const first = await person.get("/sign-in");
    expect(first.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^__Host-mrg\.form=[\w-]{22}; Path=\/; HttpOnly; Secure; SameSite=Lax$/),
    ]);
    const second = await person.get("/sign-up");
    expect(second.headers.getSetCookie()).toEqual([]);
    expect((await person.submit(first, "/sign-in", { email: "a@example.com", password: "x" })).status).not.toBe(403);
  });

  it("is answered with 503 and Retry-After when Better Auth fails, the cause in the log only", async () => {
    for (const failure of [new Error("redis://secret is down"), { status: 500, body: { message: "redis://secret" } }]) {
      const { person, logged } = visitor({ "/get-session": failure, "/sign-in/email": failure });
      const signIn = await person.submit(await person.get("/sign-in"), "/sign-in", { email: "a", password: "b" });
      for (const page of [await person.get("/"), signIn]) {
        expect(page.status).toBe(503);
        expect(page.headers.get("retry-after")).toBe("30");
        expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
        expect(page.html).not.toContain("secret");
      }
      expect(logged.join()).toContain("web.refused");
    }
  });

  it("leaves other paths alone", async () => {
    const answer = await pagesOnScript({}).app.request(`${ORIGIN}/mcp`);
    expect(answer.status).toBe(404);
    expect(answer.headers.has("content-security-policy")).toBe(false);
  });
});

describe("a form post", () => {
  const FORMS = ["/sign-in", "/sign-up", "/sign-out", "/verify-email", "/consent"];

  it.each(FORMS)("to %s from another site asks Better Auth nothing", async (path) => {
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
    const { person, asked } = visitor({}, false);
    const { form = "" } = hiddenFields(await person.get("/sign-up"), "/sign-up");
    expect((await person.post("/sign-in", { form })).status).toBe(403);
    expect(asked).toEqual([]);
  });

  it("passes on the cookies that Better Auth sets and no other header", async () => {
    const answers = {
      "/sign-in/email": { body: {}, headers: { "set-cookie": "a=b; HttpOnly", "x-other": "1", location: "/x" } },
    };
    const { person } = visitor(answers, false);
    const answer = await person.submit(await person.get("/sign-in"), "/sign-in", { email: "a", password: "b" });
    expect([answer.status, answer.location]).toEqual([303, "/"]);
    expect(answer.headers.getSetCookie()).toEqual(["a=b; HttpOnly"]);
    expect(answer.headers.has("x-other")).toBe(false);
  });

  it("hands on the caller's address and browser, and no header that the caller could use otherwise", async () => {
    const { person, asked } = visitor({ "/sign-in/email": { status: 401 } }, false);
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
    const { person, asked } = visitor({}, false);
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
    expect(page.html).toContain("Only addresses at example.com get an account.");
  });
});

describe("another login page", () => {
  it("is served at its path, also to links in mails that were made for the default one", async () => {
    const { app } = pagesOnScript({ "/verify-email": { body: { status: true } } }, { LOGIN_PAGE: "/login" });
    const person = browser(app, ORIGIN);
    expect((await person.get("/login")).html).toContain('action="/login"');
    const link = new URLSearchParams({ token: "t", next: "/sign-in?client_id=x&sig=y" }).toString();
    const page = await person.submit(await person.get(`/verify-email?${link}`), "/verify-email", {});
    expect(page.html).toContain('href="/login?client_id=x&amp;sig=y"');
  });
});
