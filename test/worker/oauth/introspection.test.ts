import { eq, sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { member, organization } from "../../../src/identity/schema.ts";
import { formBrowser } from "../../support/browsing.ts";
import { db, origin, request, resetStats, stats, withFault } from "../../support/gateway.ts";
import {
  adminCodeFor,
  AUTH,
  authorize,
  authorizePath,
  claimsOf,
  codeFor,
  json,
  later,
  newClient,
  newPerson,
  postForm,
  redeem,
  REDIRECT,
  refresh,
  register,
  tokensFor,
  type Person,
} from "../../support/oauth.ts";
import {
  byAssertion,
  byBasic,
  byPost,
  clientKeys,
  CLIENTS,
  clientToken,
  manage,
  newManagedClient,
  postAs,
  setRole,
  type Sent,
} from "../../support/managed-clients.ts";

const INACTIVE = { active: false };
const MCP = `${origin}/mcp`;

const newServer = async (resources = [MCP]) => byBasic(await newManagedClient({ resources }));

/** What a client is told of a token. */
async function told(client: Sent, token: string, hint?: string): Promise<Record<string, unknown>> {
  const answer = await postAs("introspect", client, { token, token_type_hint: hint });
  const body = await json(answer);
  expect([answer.status, answer.headers.get("cache-control")]).toEqual([200, "no-store"]);
  return body;
}

/** A confidential client that registered itself. */
async function newRegistered(): Promise<{ clientId: string; client: Sent; secret: string }> {
  const fields = { redirect_uris: [REDIRECT], token_endpoint_auth_method: "client_secret_post" };
  const body = await json(await register(fields));
  const [clientId, secret] = [String(body["client_id"]), String(body["client_secret"])];
  return { clientId, secret, client: byPost({ clientId, clientSecret: secret }) };
}

async function tokensOfRegistered(person: Person) {
  const registered = await newRegistered();
  const code = await codeFor(registered.clientId, person);
  const tokens = await json(await redeem(registered.clientId, code, { client_secret: registered.secret }));
  return { ...registered, access: String(tokens["access_token"]), refresh: String(tokens["refresh_token"]) };
}

describe("introspection of an access token", () => {
  it("R16: tells a server that owns the resource all that it needs, and nothing of the person but their id", async () => {
    const [clientId, person] = [await newClient(), await newPerson()];
    const { access_token: token } = await tokensFor(clientId, person, { scope: "mcp:tools offline_access" });
    const { exp, iat, jti } = claimsOf(token);
    expect(await told(await newServer(), token)).toEqual({
      active: true,
      scope: "mcp:tools offline_access",
      client_id: clientId,
      sub: person.id,
      aud: MCP,
      iss: origin,
      exp,
      iat,
      jti,
      token_type: "Bearer",
      tenant: person.tenantId,
    });
  });

  it.each([undefined, "access_token", "refresh_token", "nonsense"])("takes the hint %s as a hint", async (hint) => {
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    expect(await told(await newServer(), token, hint)).toMatchObject({ active: true });
  });

  it("tells the client that holds it, too, and each server only of its own resource", async () => {
    const mine = await tokensOfRegistered(await newPerson());
    expect(await told(mine.client, mine.access)).toMatchObject({ active: true, client_id: mine.clientId });
    const notes = await tokensFor(await newClient(), await newPerson(), { resource: `${MCP}/notes` });
    expect(await told(await newServer([`${MCP}/notes`]), notes.access_token)).toMatchObject({ active: true });
    expect(await told(await newServer([`${MCP}/other`, MCP]), notes.access_token)).toEqual(INACTIVE);
    expect(await told(await newServer([`${MCP}/notes`]), mine.access)).toEqual(INACTIVE);
  });

  it("D08: tells strangers' clients nothing of each other's tokens, whatever their registration says", async () => {
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    const fields = {
      redirect_uris: [REDIRECT],
      token_endpoint_auth_method: "client_secret_basic",
      resources: [MCP],
      metadata: { managed: { grantId: "x", tenantId: null, resources: [MCP] } },
      managed: { grantId: "x", tenantId: null, resources: [MCP] },
    };
    const body = await json(await register(fields));
    const client = byBasic({ clientId: String(body["client_id"]), clientSecret: String(body["client_secret"]) });
    expect(await told(client, token)).toEqual(INACTIVE);
    expect(await told((await newRegistered()).client, token)).toEqual(INACTIVE);
  });

  it("says of a client's own account that it is the client's", async () => {
    const client = await newManagedClient();
    const { access_token: token } = await json(await clientToken(byBasic(client)));
    const seen = await told(await newServer(), String(token));
    expect(seen).toMatchObject({ active: true, sub: client.clientId, tenant: client.tenantId, scope: "mcp:tools" });
    await db.execute(sql`delete from organization where id = ${client.tenantId}`);
    expect(await told(await newServer(), String(token))).toEqual(INACTIVE);
  });

  it("is over when the token has expired", async () => {
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    const server = await newServer();
    expect(await later(890, () => told(server, token))).toMatchObject({ active: true });
    expect(await later(901, () => told(server, token))).toEqual(INACTIVE);
  });

  it("is over when the grant was revoked, and when its code was replayed", async () => {
    const server = await newServer();
    const [clientId, person] = [await newClient(), await newPerson()];
    const revoked = await tokensFor(clientId, person);
    await postForm(`${AUTH}/oauth2/revoke`, { client_id: clientId, token: revoked.refresh_token });
    expect(await told(server, revoked.access_token)).toEqual(INACTIVE);
    const code = await codeFor(clientId, person);
    const redeemed = await json(await redeem(clientId, code));
    expect(await told(server, String(redeemed["access_token"]))).toMatchObject({ active: true });
    await redeem(clientId, code);
    expect(await told(server, String(redeemed["access_token"]))).toEqual(INACTIVE);
  });

  it("O04: is over when the person is suspended, and when they are gone", async () => {
    const server = await newServer();
    const [suspended, gone] = [await newPerson(), await newPerson()];
    const first = await tokensFor(await newClient(), suspended);
    const second = await tokensFor(await newClient(), gone);
    expect(await told(server, second.access_token)).toMatchObject({ active: true });
    await db.execute(sql`update "user" set banned = true where id = ${suspended.id}`);
    await db.execute(sql`delete from "user" where id = ${gone.id}`);
    expect(await told(server, first.access_token)).toEqual(INACTIVE);
    expect(await told(server, second.access_token)).toEqual(INACTIVE);
  });

  it("O04: is over when the person has left the tenant", async () => {
    const person = await newPerson();
    const tenant = `organization-${crypto.randomUUID()}`;
    const createdAt = new Date();
    await db.insert(organization).values({ id: tenant, name: "Organization", slug: tenant, createdAt });
    const membership = { id: tenant, organizationId: tenant, userId: person.id, role: "member", createdAt };
    await db.insert(member).values(membership);
    const browser = formBrowser();
    await authorize(browser, authorizePath(await newClient()), person);
    await browser.send("/api/auth/organization/set-active", {
      method: "POST",
      headers: { "content-type": "application/json", origin },
      body: JSON.stringify({ organizationId: tenant }),
    });
    const { clientId, client, secret } = await newRegistered();
    const tokens = await json(
      await redeem(clientId, await codeFor(clientId, person, {}, browser), { client_secret: secret }),
    );
    const [access, renewing] = [String(tokens["access_token"]), String(tokens["refresh_token"])];
    const server = await newServer();
    expect(await told(server, access)).toMatchObject({ active: true, tenant });
    expect(await told(client, renewing)).toMatchObject({ active: true, tenant });
    await db.delete(member).where(eq(member.id, tenant));
    expect(await told(server, access)).toEqual(INACTIVE);
    expect(await told(client, renewing)).toEqual(INACTIVE);
  });

  it("is over when the client that holds it is disabled or deleted", async () => {
    const server = await newServer();
    for (const [method, body] of [["PATCH", { disabled: true }], ["DELETE"]] as const) {
      const client = await newManagedClient({ redirectUris: [REDIRECT], authMethod: "none" });
      const { access_token: token } = await tokensFor(client.clientId, await newPerson());
      expect(await told(server, token)).toMatchObject({ active: true });
      await manage(method, `${CLIENTS}/${client.clientId}`, body);
      expect(await told(server, token)).toEqual(INACTIVE);
    }
  });

  it("leaves out the scope admin for somebody who is no administrator any more", async () => {
    const [clientId, person] = [await newClient({ grant_types: ["authorization_code"] }), await newPerson()];
    const code = await adminCodeFor(clientId, person, "mcp:tools admin");
    const { access_token: token } = await json(await redeem(clientId, code));
    const server = await newServer();
    expect((await told(server, String(token)))["scope"]).toBe("mcp:tools admin");
    await setRole(person.id, "user");
    expect((await told(server, String(token)))["scope"]).toBe("mcp:tools");
  });

  it("C18: knows no ID token, no token of another issuer or with a changed claim, no session, no text", async () => {
    const tokens = await tokensFor(await newClient(), await newPerson());
    const [header = "", , signature = ""] = tokens.access_token.split(".");
    const changed = (claims: object) =>
      [
        header,
        Buffer.from(JSON.stringify({ ...claimsOf(tokens.access_token), ...claims })).toString("base64url"),
        signature,
      ].join(".");
    const server = await newServer();
    for (const token of [
      tokens.id_token,
      changed({ scope: "admin" }),
      changed({ iss: "https://other.example.com" }),
      `${tokens.access_token}x`,
      "a.b.c",
      "..",
      "opaque",
      "grant:x",
      "x".repeat(9_000),
      "é",
    ]) {
      expect(await told(server, token)).toEqual(INACTIVE);
    }
  });
});

describe("introspection of a refresh token", () => {
  it("tells its own client, in a form that nobody takes for an access token", async () => {
    const person = await newPerson();
    const mine = await tokensOfRegistered(person);
    const seen = await told(mine.client, mine.refresh);
    expect(seen).toEqual({
      active: true,
      scope: "openid offline_access mcp:tools",
      client_id: mine.clientId,
      sub: person.id,
      iss: origin,
      exp: expect.any(Number),
      iat: expect.any(Number),
      tenant: person.tenantId,
      token_type: "refresh_token",
    });
    expect(Number(seen["exp"]) - Number(seen["iat"])).toBe(2_592_000);
  });

  it("G01: tells no other client, not even one that owns the resource, and leaves the token as it is", async () => {
    const mine = await tokensOfRegistered(await newPerson());
    const other = await newRegistered();
    expect(await told(other.client, mine.refresh)).toEqual(INACTIVE);
    expect(await told(await newServer(), mine.refresh)).toEqual(INACTIVE);
    const stolen = await refresh(other.clientId, mine.refresh, { client_secret: other.secret });
    expect([stolen.status, (await json(stolen))["error"]]).toEqual([400, "invalid_grant"]);
    expect((await refresh(mine.clientId, mine.refresh, { client_secret: mine.secret })).status).toBe(200);
  });

  it("is over once it was rotated, revoked, or has expired", async () => {
    const mine = await tokensOfRegistered(await newPerson());
    expect(await later(2_592_001, () => told(mine.client, mine.refresh))).toEqual(INACTIVE);
    const renewed = await json(await refresh(mine.clientId, mine.refresh, { client_secret: mine.secret }));
    expect(await told(mine.client, mine.refresh)).toEqual(INACTIVE);
    const successor = String(renewed["refresh_token"]);
    expect(await told(mine.client, successor)).toMatchObject({ active: true });
    await postAs("revoke", mine.client, { token: successor });
    expect(await told(mine.client, successor)).toEqual(INACTIVE);
  });

  it("O04: is over when the person is suspended", async () => {
    const person = await newPerson();
    const mine = await tokensOfRegistered(person);
    await db.execute(sql`update "user" set banned = true where id = ${person.id}`);
    expect(await told(mine.client, mine.refresh)).toEqual(INACTIVE);
  });
});

describe("who may introspect", () => {
  async function expectUnknown(answer: Response): Promise<void> {
    expect([answer.status, await json(answer)]).toEqual([
      401,
      { error: "invalid_client", error_description: expect.any(String) },
    ]);
    expect(answer.headers.get("www-authenticate")).toBe("Basic");
    expect(answer.headers.get("cache-control")).toContain("no-store");
  }

  it("is no public client, no unknown one, none without credentials and no bearer of a token", async () => {
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    const others: Sent[] = [
      {},
      { fields: { client_id: await newClient() } },
      byPost({ clientId: "nobody", clientSecret: "x" }),
      byBasic({ clientId: "nobody", clientSecret: "x" }),
      { headers: { authorization: `Bearer ${token}` } },
      { headers: { authorization: "Basic !" } },
    ];
    for (const client of others) await expectUnknown(await postAs("introspect", client, { token }));
  });

  it("C04: is nobody with a wrong secret, by header or form, nor a disabled client", async () => {
    const server = await newManagedClient({ resources: [MCP] });
    const wrong = { ...server, clientSecret: "wrong" };
    await expectUnknown(await postAs("introspect", byBasic(wrong), { token: "x" }));
    const byForm = await newManagedClient({ resources: [MCP], authMethod: "client_secret_post" });
    await expectUnknown(await postAs("introspect", byPost({ ...byForm, clientSecret: "wrong" }), { token: "x" }));
    await manage("PATCH", `${CLIENTS}/${server.clientId}`, { disabled: true });
    await expectUnknown(await postAs("introspect", byBasic(server), { token: "x" }));
  });

  it("C06: is nobody who authenticates in another way than registered", async () => {
    await expectUnknown(
      await postAs("introspect", byPost(await newManagedClient({ resources: [MCP] })), { token: "x" }),
    );
    const byForm = await newManagedClient({ resources: [MCP], authMethod: "client_secret_post" });
    await expectUnknown(await postAs("introspect", byBasic(byForm), { token: "x" }));
  });

  it.each([origin, `${origin}${AUTH}/oauth2/token`])(
    "C15: is a client with a key of its own, whose assertion is for %s and is good once",
    async (aud) => {
      const { jwks, sign } = await clientKeys();
      const { clientId } = await newManagedClient({ resources: [MCP], authMethod: "private_key_jwt", jwks });
      const { access_token: token } = await tokensFor(await newClient(), await newPerson());
      const assertion = await sign(clientId, { aud });
      expect(await told(byAssertion(assertion), token)).toMatchObject({ active: true });
      await expectUnknown(await postAs("introspect", byAssertion(assertion), { token }));
      const elsewhere = await sign(clientId, { aud: "https://other.example.com" });
      await expectUnknown(await postAs("introspect", byAssertion(elsewhere), { token }));
    },
  );

  it("is the client that has authenticated, not the one that the form names beside it", async () => {
    const owner = await newManagedClient({ resources: [MCP] });
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    const other = byBasic(await newManagedClient());
    const answer = await postAs("introspect", { ...other, fields: { client_id: owner.clientId } }, { token });
    expect(await json(answer)).not.toHaveProperty("active", true);
  });

  it("asks with one token, each parameter once, as a form", async () => {
    const server = await newServer();
    for (const fields of [{}, { token: "" }, { token: ["a", "b"] }]) {
      const answer = await postAs("introspect", server, fields);
      expect([answer.status, (await json(answer))["error"]]).toEqual([400, "invalid_request"]);
    }
    const asJson = await request(`${AUTH}/oauth2/introspect`, {
      method: "POST",
      headers: { ...server.headers, "content-type": "application/json" },
      body: '{"token":"x"}',
    });
    expect([asJson.status, (await json(asJson))["error"]]).toEqual([415, "invalid_request"]);
  });

  it("costs two statements", async () => {
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    const server = await newServer();
    await told(server, token);
    await resetStats();
    await told(server, token);
    expect((await stats()).sqlRequests).toBe(2);
  });

  it.each([
    ["neon", "down"],
    ["neon", "500"],
    ["upstash", "down"],
    ["upstash", "500"],
  ])("is told to come again, and never that a token is over, while %s fails with %s", async (part, mode) => {
    const server = await newServer();
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    const failed = await withFault({ [part]: { mode } }, () => postAs("introspect", server, { token }));
    expect([failed.status, failed.headers.get("retry-after")]).toEqual([503, "2"]);
    expect(await json(failed)).toMatchObject({ error: "temporarily_unavailable" });
    expect(await told(server, token)).toMatchObject({ active: true });
  });

  it.each(["", "/", "/x"])("S03: has no other address: authenticate-client%s", async (rest) => {
    const server = await newServer();
    for (const path of ["oauth2/authenticate-client", "oauth2//authenticate-client", "oauth2%2fauthenticate-client"]) {
      const answer = await request(`${AUTH}/${path}${rest}`, {
        method: "POST",
        headers: { ...server.headers, "content-type": "application/x-www-form-urlencoded" },
        body: "client_id=x",
      });
      expect(answer.status).toBe(404);
    }
  });
});
