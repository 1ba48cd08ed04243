import { describe, expect, it } from "vitest";
import { AUTH_PAGES } from "../../../../src/identity/pages.ts";
import { client, ORIGIN, session, signedQuery, visitor, type Answer } from "../scripted.ts";

describe("the consent page", () => {
  const asked = async (change: Record<string, string> = {}, answers: Record<string, Answer> = {}) => {
    const all = { "/get-session": session(), "/oauth2/public-client": client("Tool"), ...answers };
    const visit = visitor(all);
    return { ...visit, page: await visit.person.get(`/consent?${await signedQuery(change)}`) };
  };

  it("is where Better Auth sends people", () => {
    expect(AUTH_PAGES).toEqual({
      consent: "/consent",
      error: "/error",
      verifyEmail: "/verify-email",
      device: "/device",
    });
  });

  it("names scopes in words and those it does not know by their name", async () => {
    const { page } = await asked({ scope: "keys:write custom:thing" });
    expect(page.html).toContain("Create, change and revoke your API keys");
    expect(page.html).toContain("Use the permission “custom:thing”");
  });

  it("B08: warns of a redirect to this computer or to an app, beside the warning that nobody verified the client", async () => {
    const loopback = await asked({ redirect_uri: "http://localhost:3000/cb" });
    expect(loopback.page.html).toContain("Any program that");
    const app = await asked({ redirect_uri: "cursor://anysphere.cursor-mcp/oauth/callback" });
    expect(app.page.html).toContain("the app for cursor: links");
    expect(app.page.headers.get("content-security-policy")).toContain("form-action 'self' cursor:;");
    const site = await asked();
    expect(site.page.html).toContain("app.example.com");
    expect(site.page.html).not.toContain("Any program");
    for (const { page } of [loopback, app, site]) expect(page.html).toContain("Nobody has verified this app.");
  });

  it("shows the host of a client that publishes its own metadata", async () => {
    const { page } = await asked({ client_id: "https://client.example.com/oauth/client.json" });
    expect(page.html).toContain("Published by");
    expect(page.html).toContain("client.example.com");
  });

  it("asks Better Auth for a session that is looked up, in the browser's name and ours", async () => {
    const { asked: requests } = await asked();
    expect(requests[0]).toMatchObject({ path: "/get-session", search: "?disableCookieCache=true" });
    expect(requests[0]?.headers).toMatchObject({ origin: ORIGIN });
    expect(requests[0]?.headers["cookie"]).toContain("mrg.session_token=");
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
