import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { signIn } from "../../support/accounts.ts";
import { formBrowser } from "../../support/browsing.ts";
import { addUpstream, db, origin, request, rpc, upstreams } from "../../support/gateway.ts";
import {
  AUTH,
  claimsOf,
  codeFor,
  gatewayWith,
  json,
  later,
  newClient,
  newPerson,
  postForm,
  redeem,
  refresh,
  tokensFor,
  VERIFIER,
  type Parameters,
} from "../../support/oauth.ts";

/** A refusal as RFC 6749 §5.2 has it. */
async function expectRefused(answer: Response, error: string, status = 400): Promise<void> {
  const body = await json(answer);
  expect([answer.status, body]).toEqual([status, { error, error_description: expect.any(String) }]);
  expect(answer.headers.get("cache-control")).toContain("no-store");
}

async function newCode(changed: Parameters = {}): Promise<{ clientId: string; code: string }> {
  const clientId = await newClient();
  return { clientId, code: await codeFor(clientId, await newPerson(), changed) };
}

describe("a token request", () => {
  it.each([
    [undefined, "invalid_request"],
    ["nonsense", "unsupported_grant_type"],
    ["password", "unsupported_grant_type"],
    ["implicit", "unsupported_grant_type"],
  ])("C01: with the grant type %s is refused with %s", async (grantType, error) => {
    await expectRefused(await redeem(await newClient(), "x", { grant_type: grantType }), error);
  });

  it.each([
    ["JSON", "application/json", '{"grant_type":"authorization_code"}'],
    ["text", "text/plain", "grant_type=authorization_code"],
  ])("C01: that is %s and no form is refused in OAuth's terms", async (_what, type, body) => {
    const headers = { "content-type": type };
    await expectRefused(
      await request(`${AUTH}/oauth2/token`, { method: "POST", headers, body }),
      "invalid_request",
      415,
    );
  });

  it("C01: that is too large is refused in OAuth's terms", async () => {
    await expectRefused(await redeem("x", "x".repeat(70_000)), "invalid_request", 413);
  });

  it("C01: beyond the limit for one address is refused in OAuth's terms, with the time to wait", async () => {
    const gateway = (path: string, init: RequestInit = {}) =>
      request(path, { ...init, headers: { ...(init.headers as object), "cf-connecting-ip": "198.51.100.7" } });
    const answers = await Promise.all(Array.from({ length: 301 }, () => redeem("x", "x", {}, gateway)));
    const [refused, ...more] = answers.filter(({ status }) => status === 429);
    if (!refused) throw new Error("the limit was not met");
    expect(more).toEqual([]);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    await expectRefused(refused, "temporarily_unavailable", 429);
  });

  it("C04: with a wrong secret is refused, with a challenge when the secret came by header", async () => {
    const byForm = await newClient({ token_endpoint_auth_method: "client_secret_post" });
    const code = await codeFor(byForm, await newPerson());
    await expectRefused(await redeem(byForm, code, { client_secret: "wrong" }), "invalid_client");
    const byHeader = await newClient({ token_endpoint_auth_method: "client_secret_basic" });
    const headers = { authorization: `Basic ${btoa(`${byHeader}:wrong`)}` };
    const gateway = (path: string, init: RequestInit = {}) =>
      request(path, { ...init, headers: { ...(init.headers as object), ...headers } });
    const other = await codeFor(byHeader, await newPerson());
    const answer = await redeem(byHeader, other, { client_id: undefined }, gateway);
    expect(answer.headers.get("www-authenticate")).toMatch(/^Basic/);
    await expectRefused(answer, "invalid_client", 401);
  });

  it("C06: authenticated in another way than registered is refused", async () => {
    const clientId = await newClient({ token_endpoint_auth_method: "client_secret_basic" });
    const code = await codeFor(clientId, await newPerson());
    await expectRefused(await redeem(clientId, code), "invalid_client");
  });

  it("C14: for a machine's own account is not open to registered clients", async () => {
    const answer = await postForm(`${AUTH}/oauth2/token`, {
      grant_type: "client_credentials",
      client_id: await newClient(),
    });
    await expectRefused(answer, "unauthorized_client");
  });
});

describe("an authorization code", () => {
  it("C08: of one client gives another client nothing", async () => {
    const { code } = await newCode();
    await expectRefused(await redeem(await newClient(), code), "invalid_grant");
  });

  it.each([
    ["another redirect URI", { redirect_uri: "https://client.example.com/other" }, "invalid_grant"],
    ["another verifier", { code_verifier: `${VERIFIER}x` }, "invalid_grant"],
    ["the challenge as verifier", { code_verifier: "a".repeat(43) }, "invalid_grant"],
  ])("C09: is refused with %s, and is used up by that", async (_what, changed, error) => {
    const { clientId, code } = await newCode();
    await expectRefused(await redeem(clientId, code, changed), error);
    await expectRefused(await redeem(clientId, code), "invalid_grant");
  });

  it("C09: is refused without a verifier", async () => {
    const { clientId, code } = await newCode();
    await expectRefused(await redeem(clientId, code, { code_verifier: undefined }), "invalid_request");
  });

  it("C10: works once; a replay ends the access token and the refresh token that it gave", async () => {
    const { clientId, code } = await newCode();
    const tokens = await json(await redeem(clientId, code));
    const token = String(tokens["access_token"]);
    expect((await rpc("tools/list", {}, { token })).status).toBe(200);
    await expectRefused(await redeem(clientId, code), "invalid_grant");
    expect((await rpc("tools/list", {}, { token })).status).toBe(401);
    await expectRefused(await refresh(clientId, String(tokens["refresh_token"])), "invalid_grant");
  });

  it("C10: is refused after CODE_TTL, and by another gateway", async () => {
    const late = await newCode();
    await expectRefused(await later(601, () => redeem(late.clientId, late.code)), "invalid_grant");
    const foreign = gatewayWith({ BASE_URL: "https://other.example.com", CODE_TTL: "30" });
    await expectRefused(await redeem(await newClient({}, foreign), "y".repeat(32), {}, foreign), "invalid_grant");
  });

  it("C11: that was guessed gives nothing", async () => {
    await expectRefused(await redeem(await newClient(), "a".repeat(32)), "invalid_grant");
  });

  it.each([
    ["another server of this gateway", `${origin}/mcp/notes`],
    ["another origin", "https://evil.example.com/mcp"],
  ])("C13: for one resource cannot be widened to %s", async (_what, resource) => {
    const { clientId, code } = await newCode();
    await expectRefused(await redeem(clientId, code, { resource: [`${origin}/mcp`, resource] }), "invalid_target");
  });

  it("C13: takes the other spellings of its resource", async () => {
    const { clientId, code } = await newCode();
    const answer = await redeem(clientId, code, { resource: `${origin}/` });
    expect([claimsOf(String((await json(answer))["access_token"]))["aud"]].flat()).toContain(`${origin}/mcp`);
  });

  it("is refused as no longer valid when its person has signed out, was suspended or is gone", async () => {
    const [clientId, browser] = [await newClient(), formBrowser()];
    const person = await newPerson();
    const signedOut = await codeFor(clientId, person, {}, browser);
    await browser.send(`${AUTH}/sign-out`, {
      method: "POST",
      headers: { origin, "content-type": "application/json" },
      body: "{}",
    });
    await expectRefused(await redeem(clientId, signedOut), "invalid_grant");
    const banned = await codeFor(clientId, person);
    await db.execute(sql`update "user" set banned = true where id = ${person.id}`);
    await expectRefused(await redeem(clientId, banned), "invalid_grant");
    const somebody = await newPerson();
    const gone = await codeFor(clientId, somebody);
    await db.execute(sql`delete from "user" where id = ${somebody.id}`);
    await expectRefused(await redeem(clientId, gone), "invalid_grant");
  });
});

describe("a refresh token", () => {
  it("R23: keeps its resource when none is named, and cannot be widened", async () => {
    const [clientId, person] = [await newClient(), await newPerson()];
    const tokens = await tokensFor(clientId, person, { resource: `${origin}/mcp/notes` });
    const refreshed = await json(await refresh(clientId, tokens.refresh_token));
    expect([claimsOf(String(refreshed["access_token"]))["aud"]].flat()).toContain(`${origin}/mcp/notes`);
    const again = String(refreshed["refresh_token"]);
    await expectRefused(await refresh(clientId, again, { resource: `${origin}/mcp` }), "invalid_target");
    await expectRefused(await refresh(clientId, again, { scope: "mcp:tools audit:read" }), "invalid_scope");
    expect((await refresh(clientId, again)).status).toBe(200);
  });

  it("is given to a client that registered for it, whether or not it asks for offline access, and to no other", async () => {
    const scope = "openid mcp:tools";
    const staying = await tokensFor(await newClient(), await newPerson(), { scope });
    expect(staying).toMatchObject({ refresh_token: expect.any(String), scope: `${scope} offline_access` });
    const passing = await newClient({ grant_types: ["authorization_code"] });
    expect(await tokensFor(passing, await newPerson(), { scope })).not.toHaveProperty("refresh_token");
  });

  it("O04: of a suspended person gives nothing more", async () => {
    const [clientId, person] = [await newClient(), await newPerson()];
    const tokens = await tokensFor(clientId, person);
    await db.execute(sql`update "user" set banned = true where id = ${person.id}`);
    await expectRefused(await refresh(clientId, tokens.refresh_token), "invalid_grant");
    expect((await signIn(formBrowser(), person.email)).status).toBe(403);
  });
});

describe("what the token endpoint gives", () => {
  const statusWith = async (token: string, path = "/mcp") => (await rpc("tools/list", {}, { token, path })).status;

  it("C18: an access token is good for its own resource only, and an ID token or refresh token for none", async () => {
    const [clientId, person] = [await newClient(), await newPerson()];
    await addUpstream(person.tenantId, "notes", upstreams.notes);
    const all = await tokensFor(clientId, person);
    const notes = await tokensFor(clientId, person, { resource: `${origin}/mcp/notes` });
    expect(await statusWith(all.access_token)).toBe(200);
    expect(await statusWith(all.access_token, "/mcp/notes")).toBe(401);
    expect(await statusWith(notes.access_token)).toBe(401);
    expect(await statusWith(notes.access_token, "/mcp/notes")).toBe(200);
    for (const token of [all.id_token, all.refresh_token]) expect(await statusWith(token)).toBe(401);
  });
});
