import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { db, request } from "../../support/gateway.ts";
import { AUTH, authorizePath, gatewayWith, json, REDIRECT, register } from "../../support/oauth.ts";

const CURSOR = "cursor://anysphere.cursor-mcp/oauth/callback";
const VSCODE = "vscode://vscode.github-authentication/did-authenticate";

const rowOf = async (clientId: unknown) =>
  (await db.execute(sql`select * from oauth_client where client_id = ${clientId}`)).rows[0];

async function expectRefused(fields: unknown, error: string, status = 400): Promise<void> {
  const answer = await register(fields);
  expect(answer.status).toBe(status);
  expect(answer.headers.get("cache-control")).toContain("no-store");
  const body = await json(answer);
  expect(body).toEqual({ error, error_description: expect.any(String) });
  expect(JSON.stringify(body).length).toBeLessThan(2_000);
}

const expectRegistered = async (answer: Response) => {
  expect(answer.status).toBe(201);
  return json(answer);
};

describe("client registration", () => {
  it("R21: answers as RFC 7591 §3.2.1 says, and registers a public client unless asked otherwise", async () => {
    const before = Math.floor(Date.now() / 1000);
    const answer = await register({ client_name: "Inspector", redirect_uris: [REDIRECT] });
    expect(answer.headers.get("cache-control")).toContain("no-store");
    const body = await expectRegistered(answer);
    expect(body).toMatchObject({
      client_id: expect.stringMatching(/^\w{32}$/),
      client_name: "Inspector",
      redirect_uris: [REDIRECT],
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
    });
    expect(body["client_id_issued_at"]).toBeGreaterThanOrEqual(before);
    expect(body).not.toHaveProperty("client_secret");
  });

  it("D12: shows a secret once, says that it does not expire, and stores its hash only", async () => {
    const answer = await register({ redirect_uris: [REDIRECT], token_endpoint_auth_method: "client_secret_basic" });
    const body = await expectRegistered(answer);
    expect(body).toMatchObject({ client_secret: expect.any(String), client_secret_expires_at: 0 });
    const row = await rowOf(body["client_id"]);
    expect(row?.["client_secret"]).toEqual(expect.any(String));
    expect(JSON.stringify(row)).not.toContain(body["client_secret"]);
  });

  it.each(["http://localhost:33418/", "http://127.0.0.1:1455/auth/callback", "http://[::1]:8080/cb"])(
    "R21: takes the loopback redirect %s from clients that do not say they are native",
    async (uri) => {
      const body = await expectRegistered(await register({ redirect_uris: [uri] }));
      expect(body).toMatchObject({ redirect_uris: [uri], application_type: "native" });
    },
  );

  it.each([[[CURSOR]], [[VSCODE]], [[CURSOR, REDIRECT, "http://127.0.0.1:33418/", VSCODE]]])(
    "R21: keeps the redirect URIs of editors as they are, and sends people there: %j",
    async (uris) => {
      const body = await expectRegistered(await register({ redirect_uris: uris }));
      expect(body["redirect_uris"]).toEqual(uris);
      for (const uri of uris) {
        const path = authorizePath(String(body["client_id"]), { redirect_uri: uri, prompt: "none" });
        const location = (await request(path)).headers.get("location") ?? "";
        expect(location.startsWith(`${uri}?error=login_required&`)).toBe(true);
      }
    },
  );

  it.each([
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\tscript:alert(1)",
    "\u0001javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "blob:https://client.example.com/1",
    "file:///etc/passwd",
    "mailto:a@example.com",
    "about:blank",
  ])("D02: refuses the redirect %j, alone, as native and beside good ones", async (uri) => {
    await expectRefused({ redirect_uris: [uri] }, "invalid_redirect_uri");
    await expectRefused({ redirect_uris: [uri], application_type: "native" }, "invalid_redirect_uri");
    await expectRefused({ redirect_uris: [CURSOR, REDIRECT, uri] }, "invalid_redirect_uri");
  });

  it.each([
    "http://client.example.com/callback",
    "https://localhost/callback",
    "https://127.0.0.1/callback",
    "http://localhost./",
    "http://127.1/",
    "http://0x7f.1/",
    "http://2130706433/",
    "http://localhost.evil.example.com/",
    `${REDIRECT}#fragment`,
    "https://user:password@client.example.com/callback",
    "/callback",
    "cursor://evil.example/oauth/callback",
  ])("D05: refuses the redirect %s", async (uri) => {
    await expectRefused({ redirect_uris: [uri] }, "invalid_redirect_uri");
    await expectRefused({ redirect_uris: [uri], application_type: "native" }, "invalid_redirect_uri");
  });

  it("D05: refuses a loopback redirect of a client that says it is a web application", async () => {
    await expectRefused({ redirect_uris: ["http://localhost:3000/"], application_type: "web" }, "invalid_redirect_uri");
  });

  it.each(["foo:/callback", "com.example.app://host"])("D07: refuses the private scheme of %s", async (uri) => {
    await expectRefused({ redirect_uris: [uri], application_type: "native" }, "invalid_redirect_uri");
  });

  it.each([
    ["no list", {}],
    ["an empty list", { redirect_uris: [] }],
    ["text", { redirect_uris: REDIRECT }],
    ["a number among them", { redirect_uris: [REDIRECT, 7] }],
    ["too many", { redirect_uris: Array.from({ length: 21 }, (_none, index) => `${REDIRECT}/${index}`) }],
  ])("refuses redirect URIs that are %s", (_what, fields) => expectRefused(fields, "invalid_redirect_uri"));

  it.each([
    ["a grant for machines", { grant_types: ["client_credentials"] }],
    [
      "a grant for machines beside others, with a secret",
      { grant_types: ["authorization_code", "client_credentials"], token_endpoint_auth_method: "client_secret_basic" },
    ],
    ["the password grant", { grant_types: ["password"] }],
    ["the implicit flow", { response_types: ["token"] }],
    ["a name that is no text", { client_name: 7 }],
  ])("C14: refuses %s", (_what, fields) =>
    expectRefused({ redirect_uris: [REDIRECT], ...fields }, "invalid_client_metadata"),
  );

  it.each([
    ["nothing", ""],
    ["no JSON", "redirect_uris=x"],
    ["a list", "[]"],
    ["a number", "7"],
    ["null", "null"],
  ])("refuses a body that is %s, in OAuth's terms", (_what, body) => expectRefused(body, "invalid_client_metadata"));

  it("refuses a body that is too large, in OAuth's terms", async () => {
    const answer = await register({ redirect_uris: [REDIRECT], client_name: "x".repeat(70_000) });
    expect(answer.status).toBe(413);
    expect(await json(answer)).toEqual({ error: expect.any(String), error_description: expect.any(String) });
  });

  it("D08: B07: ignores fields that would give a client privileges, and ids and secrets of its own choice", async () => {
    const answer = await register({
      redirect_uris: [REDIRECT],
      client_id: "mine",
      client_secret: "mine",
      user_id: "somebody",
      userId: "somebody",
      reference_id: "somebody",
      skip_consent: true,
      trusted: true,
      disabled: true,
      require_pkce: false,
      client_credentials_scopes: ["admin"],
      resources: ["http://localhost:8787/mcp"],
      metadata: { admin: true, managed: { grantId: "x", tenantId: "x", resources: ["http://localhost:8787/mcp"] } },
      backchannel_logout_uri: "https://client.example.com/logout",
      jwks_uri: "https://client.example.com/jwks",
      software_statement: "x",
    });
    const { client_id: clientId } = await expectRegistered(answer);
    expect(clientId).not.toBe("mine");
    expect(await rowOf(clientId)).toMatchObject({
      client_secret: null,
      user_id: null,
      reference_id: null,
      skip_consent: null,
      disabled: false,
      require_pkce: null,
      client_credentials_scopes: [],
      metadata: null,
      backchannel_logout_uri: null,
      jwks_uri: null,
      software_statement: null,
      token_endpoint_auth_method: "none",
    });
  });

  it("P05: keeps no address that a page could not link to safely", async () => {
    const hostile = {
      client_uri: "javascript:alert(1)",
      logo_uri: "data:image/svg+xml,x",
      policy_uri: "https://client.example.com/policy",
    };
    const { client_id: clientId } = await expectRegistered(await register({ redirect_uris: [REDIRECT], ...hostile }));
    expect(await rowOf(clientId)).toMatchObject({ uri: null, icon: null, policy: hostile.policy_uri });
  });

  it.each(["GET", "PUT", "DELETE"])("D10: offers no management of registrations: %s", async (method) => {
    const { client_id: clientId } = await expectRegistered(await register({ redirect_uris: [REDIRECT] }));
    const answer = await request(`${AUTH}/oauth2/register/${String(clientId)}`, { method });
    expect(answer.status).toBe(404);
    expect(await rowOf(clientId)).toBeDefined();
  });
});

describe("CLIENT_REGISTRATION", () => {
  it("R23: off refuses every registration", async () => {
    const answer = await register({ redirect_uris: [REDIRECT] }, gatewayWith({ CLIENT_REGISTRATION: "off" }));
    expect(answer.status).toBeGreaterThanOrEqual(401);
    expect(answer.status).toBeLessThan(500);
    expect(await json(answer)).toHaveProperty("error");
  });

  it.each([
    [201, REDIRECT],
    [201, "http://127.0.0.1:9999/cb"],
    [201, CURSOR],
    [400, "https://evil.example.com/callback"],
    [400, "https://client.example.com.evil.example.com/callback"],
    [400, "https://sub.client.example.com/callback"],
    [400, "http://localhost.evil.example.com/"],
  ])("R23: a list of hosts answers %i to %s", async (status, uri) => {
    const gateway = gatewayWith({ CLIENT_REGISTRATION: "hosts:client.example.com" });
    const answer = await register({ redirect_uris: [uri] }, gateway);
    expect(answer.status).toBe(status);
    if (status === 400) expect(await json(answer)).toMatchObject({ error: "invalid_redirect_uri" });
  });
});
