import { afterEach, describe, expect, it, vi } from "vitest";
import { ORIGIN, pagesOnBetterAuth } from "./better-auth.ts";
import { browser, hiddenFields } from "./browser.ts";
import { PERSON, signIn, signUpAndVerify, type Browser, type Pages } from "./person.ts";

const REDIRECT = "http://127.0.0.1:49152/callback";

async function register(pages: Pages, redirectUris = [REDIRECT]): Promise<string> {
  const body = {
    client_name: 'Tool <script>alert("x")</script>',
    redirect_uris: redirectUris,
    token_endpoint_auth_method: "none",
    application_type: "native",
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
  };
  const answer = await pages.handler(
    new Request(`${ORIGIN}/api/auth/oauth2/register`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
  const registered = await answer.json<{ client_id: string }>();
  return registered.client_id;
}

const authorizePath = (clientId: string, more: Record<string, string> = {}) =>
  `/api/auth/oauth2/authorize?${new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: REDIRECT,
    scope: "openid mcp:tools offline_access",
    state: "state+with/odd &characters=",
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    code_challenge_method: "S256",
    resource: `${ORIGIN}/mcp`,
    ...more,
  }).toString()}`;

/** Where Better Auth sends a browser that navigates to `path`. */
async function navigate(pages: Pages, person: Browser, path: string): Promise<string> {
  const cookie = [...person.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  const headers = { cookie, accept: "text/html", "sec-fetch-mode": "navigate" };
  const answer = await pages.handler(new Request(`${ORIGIN}${path}`, { headers }));
  return answer.headers.get("location") ?? "";
}

const sorted = (path: string) => [...new URL(path, ORIGIN).searchParams].map(String).toSorted();
const MINUTE = 60_000;
const pass = (milliseconds: number) => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + milliseconds });
afterEach(() => vi.useRealTimers());

describe("an authorization", () => {
  it("goes through login and consent to the client's redirect URI", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    await signUpAndVerify(pages, person);
    const login = await navigate(pages, person, authorizePath(await register(pages)));
    expect(login).toMatch(/^\/sign-in\?/);
    const page = await person.get(login);
    expect(page.headers.get("content-security-policy")).toContain("form-action 'self' http://127.0.0.1:49152;");

    const signedIn = await signIn(person, page);
    expect(signedIn.status).toBe(303);
    expect(signedIn.location).toMatch(/^https:\/\/gateway\.example\.com\/consent\?/);
    const consent = await person.get(signedIn.location ?? "");
    expect(consent.status).toBe(200);
    expect(consent.html).toContain("Tool &lt;script&gt;");
    expect(consent.html).toContain("Use MCP tools on your behalf");
    expect(consent.html).toContain("127.0.0.1:49152");
    expect(consent.html).toContain(`${ORIGIN}/mcp`);
    expect(consent.html).toContain(PERSON.email);
    expect(consent.html).toContain("Nobody has verified this app.");
    expect(consent.html).toContain("on your computer (localhost)");

    const allowed = await person.submit(consent, "/consent", { decision: "allow" });
    expect(allowed.status).toBe(303);
    const target = new URL(allowed.location ?? "");
    expect(target.href.startsWith(`${REDIRECT}?`)).toBe(true);
    expect(target.searchParams.get("code")).toMatch(/^\w{32}$/);
    expect(target.searchParams.get("state")).toBe("state+with/odd &characters=");
    expect(target.searchParams.get("iss")).toBe(ORIGIN);
  });

  it("ends with access_denied when the person denies, and leaves no consent behind", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    await signUpAndVerify(pages, person);
    const login = await navigate(pages, person, authorizePath(await register(pages)));
    const signedIn = await signIn(person, await person.get(login));
    const denied = await person.submit(await person.get(signedIn.location ?? ""), "/consent", { decision: "deny" });
    expect(denied.location).toMatch(/^http:\/\/127\.0\.0\.1:49152\/callback\?error=access_denied&/);
    expect(pages.rows["oauthConsent"]).toEqual([]);
  });

  it("survives sign-up: the mailed link leads back to it", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    const login = await navigate(pages, person, authorizePath(await register(pages)));
    const confirmed = await signUpAndVerify(pages, person, login.slice("/sign-in".length));
    const back = /href="(\/sign-in\?[^"]*)"/.exec(confirmed.html)?.[1]?.replaceAll("&amp;", "&") ?? "";
    const signedIn = await signIn(person, await person.get(back));
    expect(signedIn.location).toMatch(/\/consent\?/);
  });

  it("that asked for a new account goes on after that account has signed in", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    const path = authorizePath(await register(pages), { prompt: "create" });
    const signUp = await navigate(pages, person, path);
    expect(signUp).toMatch(/^\/sign-up\?/);
    const confirmed = await signUpAndVerify(pages, person, signUp.slice("/sign-up".length));
    const back = /href="(\/sign-in\?[^"]*)"/.exec(confirmed.html)?.[1]?.replaceAll("&amp;", "&") ?? "";
    const signedIn = await signIn(person, await person.get(back));
    expect(signedIn.location).toMatch(/^\/api\/auth\/oauth2\/authorize\?/);
    expect(await navigate(pages, person, signedIn.location ?? "")).toMatch(/^\/consent\?/);
  });

  it("is not shown for consent to somebody who is not signed in, but leads to the login and back", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    await signUpAndVerify(pages, person);
    const login = await navigate(pages, person, authorizePath(await register(pages)));
    const consent = await signIn(person, await person.get(login));
    const consentPage = await person.get(consent.location ?? "");
    const out = await person.submit(consentPage, "/sign-out", {});
    expect(out.location).toMatch(/^\/sign-in\?/);
    const again = await person.get(consent.location ?? "");
    expect([again.status, again.location?.split("?")[0]]).toEqual([303, "/sign-in"]);
    const replayed = await person.submit(consentPage, "/consent", { decision: "allow" });
    expect(replayed.location).toMatch(/^\/sign-in\?/);
    const back = await signIn(person, await person.get(again.location ?? ""));
    expect(back.location).toMatch(/\/consent\?/);
  });

  it("is made again when reading the mail or finding the password took longer than its signature lasts", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    const path = authorizePath(await register(pages));
    const login = await navigate(pages, person, path);
    const page = await person.get(login);
    await signUpAndVerify(pages, person);
    pass(20 * MINUTE);

    const late = await person.get(login);
    expect(late.status).toBe(303);
    expect(sorted(late.location ?? "")).toEqual(sorted(path));
    expect(await navigate(pages, person, late.location ?? "")).toMatch(/^\/sign-in\?/);

    const typed = await signIn(person, page);
    expect(sorted(typed.location ?? "")).toEqual(sorted(path));
    expect(await navigate(pages, person, typed.location ?? "")).toMatch(/^\/consent\?/);
  });

  it("asks again when the consent page was left open too long", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    await signUpAndVerify(pages, person);
    const path = authorizePath(await register(pages));
    const signedIn = await signIn(person, await person.get(await navigate(pages, person, path)));
    const page = await person.get(signedIn.location ?? "");
    pass(6 * MINUTE);
    const late = await person.submit(page, "/consent", { decision: "allow" });
    expect(sorted(late.location ?? "")).toEqual(sorted(path));
    pass(5 * MINUTE);
    const tooLate = await person.submit(page, "/consent", { decision: "allow" });
    expect(tooLate.status).toBe(403);
    expect(tooLate.html).toContain("This form has expired");
    expect(pages.rows["oauthConsent"]).toEqual([]);
  });

  it("takes no answer from a page that was shown to somebody else", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    await signUpAndVerify(pages, person);
    const login = await navigate(pages, person, authorizePath(await register(pages)));
    const page = await person.get((await signIn(person, await person.get(login))).location ?? "");
    const answer = await person.submit(page, "/consent", { decision: "allow", user: "another-user" });
    expect(answer.status).toBe(403);
    expect(pages.rows["oauthConsent"]).toEqual([]);
  });

  it("is refused when its query was changed, whatever the change", async () => {
    const pages = pagesOnBetterAuth();
    const person = browser(pages.app, ORIGIN);
    await signUpAndVerify(pages, person);
    const login = await navigate(pages, person, authorizePath(await register(pages)));
    const consent = await signIn(person, await person.get(login));
    for (const path of [login, consent.location ?? ""]) {
      const forged = new URL(path, ORIGIN);
      forged.searchParams.set("redirect_uri", "https://evil.example.com/");
      const page = await person.get(`${forged.pathname}${forged.search}`);
      expect(page.status).toBe(400);
      expect(page.html).not.toContain("evil.example.com");
      expect(page.headers.get("content-security-policy")).not.toContain("evil.example.com");
    }
    const page = await person.get(consent.location ?? "");
    const { oauth_query = "" } = hiddenFields(page, "/consent");
    const forged = await person.submit(page, "/consent", {
      decision: "allow",
      oauth_query: `${oauth_query}&scope=admin`,
    });
    expect([forged.status, forged.location]).toEqual([400, null]);
    expect(pages.rows["oauthConsent"]).toEqual([]);
  });
});
