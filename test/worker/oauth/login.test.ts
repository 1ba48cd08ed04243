import { describe, expect, it } from "vitest";
import { newEmail, signIn, signUp } from "../../support/accounts.ts";
import { formBrowser, leftFor, pageOf, textOf } from "../../support/browsing.ts";
import { callTool, config, origin, request } from "../../support/gateway.ts";
import {
  authorize,
  authorizePath,
  AUTH,
  claimsOf,
  gatewayWith,
  json,
  newClient,
  newPerson,
  PASSWORD,
  REDIRECT,
  redeem,
  signInAt,
  tokensFor,
  type Tokens,
} from "../../support/oauth.ts";

const SCOPE = "openid profile email offline_access mcp:tools";

describe("signing in with OAuth", () => {
  it("R1: R8: R20: R21: R23: goes from the app through login and consent to a token for this gateway", async () => {
    const [person, clientId, browser] = [await newPerson(), await newClient(), formBrowser()];
    const login = pageOf(await browser.open(authorizePath(clientId, { scope: SCOPE })));
    expect(login.url.pathname).toBe(config.LOGIN_PAGE);
    expect(textOf(login.html)).toContain("An app at client.example.com wants to connect.");
    const wrong = pageOf(await browser.submit(login, "/sign-in", { email: person.email, password: "wrong password" }));
    expect([wrong.status, textOf(wrong.html)]).toEqual([401, expect.stringContaining("do not match an account")]);
    const consent = pageOf(await browser.submit(wrong, "/sign-in", { email: person.email, password: PASSWORD }));
    expect(consent.url.pathname).toBe("/consent");
    const answer = leftFor(await browser.submit(consent, "/consent", { decision: "allow" }));
    expect(`${answer.origin}${answer.pathname}`).toBe(REDIRECT);
    const redeemed = await redeem(clientId, answer.searchParams.get("code") ?? "");
    expect(redeemed.status).toBe(200);
    expect(redeemed.headers.get("cache-control")).toContain("no-store");
    expect(redeemed.headers.get("content-type")).toMatch(/^application\/json/);
    const tokens = await json(redeemed);
    expect(tokens).toMatchObject({
      token_type: "Bearer",
      expires_in: config.ACCESS_TOKEN_TTL,
      scope: SCOPE,
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      id_token: expect.any(String),
    });
    const { access_token: token } = tokens as unknown as Tokens;
    const { result } = await callTool("whoami", {}, { token });
    expect(result?.structuredContent).toEqual({
      userId: person.id,
      tenantId: person.tenantId,
      scopes: SCOPE.split(" "),
      credential: "access_token",
      credentialName: null,
      clientId,
    });
  });

  it("R23: gives a token that says who, for whom, where, what and how long", async () => {
    const [person, clientId] = [await newPerson(), await newClient()];
    const tokens = await tokensFor(clientId, person, { scope: SCOPE });
    const claims = claimsOf(tokens.access_token);
    expect(claims).toMatchObject({
      iss: origin,
      sub: person.id,
      tenant: person.tenantId,
      client_id: clientId,
      scope: SCOPE,
      jti: expect.stringMatching(/^\S{20,}$/),
    });
    expect([claims["aud"]].flat()).toContain(`${origin}/mcp`);
    expect(Number(claims["exp"]) - Number(claims["iat"])).toBe(config.ACCESS_TOKEN_TTL);
    const header = JSON.parse(Buffer.from(tokens.access_token.split(".")[0] ?? "", "base64url").toString()) as object;
    expect(header).toMatchObject({ typ: "at+jwt", alg: "ES256", kid: expect.any(String) });
    const other = await tokensFor(clientId, person);
    expect(claimsOf(other.access_token)["jti"]).not.toBe(claims["jti"]);
    const identity = claimsOf(tokens.id_token);
    expect(identity).toMatchObject({ iss: origin, sub: person.id, aud: clientId });
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    const information = await json(await request(`${AUTH}/oauth2/userinfo`, { headers }));
    expect(information).toMatchObject({ sub: person.id, email: person.email, email_verified: true, name: "Test user" });
  });

  it("R23: the lifetimes of tokens and codes, the login page and the scopes come from the settings", async () => {
    const gateway = gatewayWith({
      ACCESS_TOKEN_TTL: "60",
      REFRESH_TOKEN_TTL: "7200",
      LOGIN_PAGE: "/welcome",
      SCOPES: "openid offline_access mcp:tools",
    });
    const [person, clientId, browser] = [await newPerson(), await newClient({}, gateway), formBrowser(gateway)];
    const login = pageOf(await browser.open(authorizePath(clientId)));
    expect(login.url.pathname).toBe("/welcome");
    const consent = pageOf(await browser.submit(login, "/welcome", { email: person.email, password: PASSWORD }));
    const answer = leftFor(await browser.submit(consent, "/consent", { decision: "allow" }));
    const tokens = await json(await redeem(clientId, answer.searchParams.get("code") ?? "", {}, gateway));
    expect(tokens["expires_in"]).toBe(60);
    const refused = leftFor(await browser.open(authorizePath(clientId, { scope: "audit:read" })));
    expect(refused.searchParams.get("error")).toBe("invalid_scope");
    const some = leftFor(await browser.open(authorizePath(clientId, { scope: "mcp:tools audit:read" })));
    const { scope } = await json(await redeem(clientId, some.searchParams.get("code") ?? "", {}, gateway));
    expect(scope).toBe("mcp:tools offline_access");
  });

  it("R23: whether confidential clients need PKCE is a setting; public ones always do", async () => {
    const without = { code_challenge: undefined, code_challenge_method: undefined, scope: "mcp:tools" };
    const secret = { token_endpoint_auth_method: "client_secret_basic" };
    for (const [setting, fields, error] of [
      ["true", secret, "invalid_request"],
      ["false", {}, "invalid_request"],
      ["false", secret, undefined],
    ] as const) {
      const gateway = gatewayWith({ REQUIRE_PKCE: setting });
      const visit = await formBrowser(gateway).open(authorizePath(await newClient(fields, gateway), without));
      const stopped = "page" in visit ? visit.page.url.pathname : visit.leftFor.searchParams.get("error");
      expect(stopped).toBe(error ?? "/sign-in");
    }
  });

  it("A17: redirects by statuses that never repeat the post with the password", async () => {
    const browser = formBrowser();
    await authorize(browser, authorizePath(await newClient()), await newPerson());
    const redirects = browser.answers.filter(({ status }) => status >= 300 && status < 400);
    expect(redirects.length).toBeGreaterThanOrEqual(3);
    for (const { status } of redirects) expect([302, 303]).toContain(status);
  });
});

describe("every page", () => {
  it("Q01: forbids scripts, frames and other origins, is not cached and sends no referrer", async () => {
    const browser = formBrowser();
    const consent = await signInAt(browser, await browser.open(authorizePath(await newClient())), await newPerson());
    for (const path of ["/", "/sign-up", "/sign-in", "/verify-email?token=x", "/error?error=access_denied", "/consent"])
      await browser.open(path);
    await signUp(browser, newEmail());
    await browser.submit(pageOf(consent), "/consent", { decision: "deny" });
    const pages = browser.answers.filter(({ path }) => !path.startsWith(AUTH));
    expect(pages.length).toBeGreaterThanOrEqual(11);
    for (const { path, headers } of pages) {
      const policy = headers.get("content-security-policy") ?? "";
      for (const rule of ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"])
        expect(`${path} ${policy}`).toContain(rule);
      expect(policy).not.toMatch(/script-src|unsafe|\*/);
      expect(Object.fromEntries(headers)).toMatchObject({
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
      });
    }
  });

  it("Q01: lets forms lead to the client of this consent and to nowhere else", async () => {
    const browser = formBrowser();
    const page = pageOf(
      await signInAt(browser, await browser.open(authorizePath(await newClient())), await newPerson()),
    );
    const rules = page.headers.get("content-security-policy")?.split("; ");
    expect(rules).toContain("form-action 'self' https://client.example.com");
  });

  it("Q02: the error page repeats nothing that its link says", async () => {
    const hostile = "<script>alert(1)</script>";
    const query = new URLSearchParams({ error: hostile, error_description: hostile, error_uri: "javascript:alert(1)" });
    const page = pageOf(await formBrowser().open(`/error?${query.toString()}`));
    expect(page.html).not.toContain("alert(1)");
    expect(page.status).toBe(400);
  });
});

describe("cookies", () => {
  const HTTPS = "https://gateway.example.com";

  it("H02: over https are bound to this host or to https, unreadable for scripts, and not sent along by other sites", async () => {
    const browser = formBrowser(gatewayWith({ BASE_URL: HTTPS }), HTTPS);
    await signIn(browser, (await newPerson()).email);
    const names = browser.cookieLines.map((line) => line.split("=")[0]);
    expect(names).toEqual(expect.arrayContaining(["__Host-mrg.form", "__Secure-mrg.session_token"]));
    for (const line of browser.cookieLines) {
      expect(line).toMatch(/^__(Host|Secure)-mrg\./);
      for (const flag of [/; *secure/i, /; *httponly/i, /; *samesite=lax/i, /; *path=\/(;|$)/i])
        expect(line).toMatch(flag);
      expect(line).not.toMatch(/; *domain=/i);
    }
    for (const { headers } of browser.answers)
      expect(headers.get("strict-transport-security")).toContain("max-age=31536000");
  });

  it("H02: a forged or foreign session cookie is nobody", async () => {
    const browser = formBrowser();
    await signIn(browser, (await newPerson()).email);
    const [token = "", signature = ""] = decodeURIComponent(browser.cookies.get("mrg.session_token") ?? "").split(".");
    for (const forged of [`${token}.AAAA`, token, `${token}x.${signature}`, ""]) {
      const other = formBrowser();
      other.cookies.set("mrg.session_token", encodeURIComponent(forged));
      const session = await other.send(`${AUTH}/get-session`);
      expect(await session.json()).toBeNull();
    }
  });

  it("signing out ends the session for every copy of its cookies", async () => {
    const browser = formBrowser();
    await signIn(browser, (await newPerson()).email);
    const copy = formBrowser();
    for (const [name, value] of browser.cookies) copy.cookies.set(name, value);
    const home = pageOf(await browser.open("/"));
    await browser.submit(home, "/sign-out", {});
    expect(browser.cookies.has("mrg.session_token")).toBe(false);
    expect(await (await copy.send(`${AUTH}/get-session?disableCookieCache=true`)).json()).toBeNull();
    const stopped = pageOf(await copy.open(authorizePath(await newClient())));
    expect(stopped.url.pathname).toBe("/sign-in");
  });
});
