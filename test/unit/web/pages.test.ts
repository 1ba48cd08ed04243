import { describe, expect, it } from "vitest";
import { browser } from "./browser.ts";
import { ORIGIN, pagesOnScript, visitor } from "./scripted.ts";

describe("the error page", () => {
  it.each(["invalid_redirect", "invalid_client", "access_denied", "invalid_target"])("explains %s", async (code) => {
    const page = await visitor({}, { signedIn: false }).person.get(`/error?error=${code}&error_description=described`);
    expect(page.html).toContain(`<code>${code}</code>`);
    expect(page.html).not.toContain("described");
  });

  it.each(["constructor", "__proto__", "toString", "hasOwnProperty"])("knows no %s", async (code) => {
    const page = await visitor({}, { signedIn: false }).person.get(`/error?error=${code}`);
    expect(page.status).toBe(400);
    expect(page.html).toContain("The request failed");
  });
});

describe("every page", () => {
  const PATHS = ["/", "/sign-in", "/sign-up", "/verify-email?token=x", "/verify-email", "/consent", "/error?error=x"];

  it.each(PATHS)("Q01: sends its security headers, Q04: no-store and no-referrer among them: %s", async (path) => {
    const { headers, html } = await visitor({}, { signedIn: false }).person.get(path);
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
    const { html } = await visitor({}, { signedIn: false }).person.get(path);
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
    const { person } = visitor({}, { signedIn: false });
    const policies = [await person.get("/sign-in"), await person.get("/sign-in")].map(({ headers }) =>
      headers.get("content-security-policy"),
    );
    expect(policies[0]).not.toBe(policies[1]);
  });

  it("H02: has a form cookie that other hosts cannot set, and keeps the one there is", async () => {
    const { person } = visitor({}, { signedIn: false });
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
