import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { formBrowser } from "../../support/browsing.ts";
import { callTool, db, newKey, newUser, origin, request, withFault } from "../../support/gateway.ts";
import {
  adminCodeFor,
  AUTH,
  authorize,
  authorizePath,
  codeFor,
  json,
  newClient,
  newPerson,
  REDIRECT,
  redeem,
  refresh,
  signInAt,
  tokensFor,
  VERIFIER,
  type Person,
} from "../../support/oauth.ts";
import {
  byBasic,
  clientKeys,
  CLIENTS,
  clientToken,
  manage,
  managing,
  newAdministrator,
  newManagedClient,
  postAs,
  setRole,
  type ManagedClient,
} from "../../support/managed-clients.ts";

const rowOf = async (clientId: string) =>
  (await db.execute(sql`select * from oauth_client where client_id = ${clientId}`)).rows[0];

const pathOf = ({ clientId }: Pick<ManagedClient, "clientId">) => `${CLIENTS}/${clientId}`;

const statusWith = async (token: unknown) => (await callTool("echo", { text: "x" }, { token: String(token) })).status;

/** Tokens of a person for a confidential client. */
async function tokensOf(client: ManagedClient, person: Person) {
  const code = await codeFor(client.clientId, person);
  const fields = { grant_type: "authorization_code", code, redirect_uri: REDIRECT, code_verifier: VERIFIER };
  return json(await postAs("token", byBasic(client), fields));
}

const renew = (client: ManagedClient, token: unknown) =>
  postAs("token", byBasic(client), { grant_type: "refresh_token", refresh_token: String(token) });

describe("the clients of an administrator", () => {
  it("D12: are made with a secret that is shown once and kept as a hash", async () => {
    const { tenantId } = await newUser();
    const fields = { name: "Nightly job", clientCredentialsScopes: ["mcp:tools"], tenantId };
    const answer = await manage("POST", CLIENTS, fields);
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([201, "no-store"]);
    const { clientSecret, ...client } = await answer.json<ManagedClient>();
    expect(clientSecret).toMatch(/^[\w-]{43}$/);
    expect(client).toEqual({
      clientId: expect.stringMatching(/^\w{32}$/),
      name: "Nightly job",
      authMethod: "client_secret_basic",
      jwks: null,
      redirectUris: [],
      grantTypes: ["client_credentials"],
      scopes: ["openid", "profile", "email", "offline_access", "mcp:tools"],
      clientCredentialsScopes: ["mcp:tools"],
      tenantId,
      resources: [],
      trusted: false,
      disabled: false,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    });
    expect(await json(await manage("GET", pathOf(client)))).toEqual(client);
    const row = await rowOf(client.clientId);
    expect(row).toMatchObject({ client_secret: expect.any(String), user_id: null, skip_consent: false });
    expect(JSON.stringify(row)).not.toContain(clientSecret);
  });

  it("are listed newest first, in pages, without those that registered themselves", async () => {
    const made: string[] = [];
    for (let i = 0; i < 3; i++) made.unshift((await newManagedClient({ name: `Client ${i}` })).clientId);
    const registered = await newClient();
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = `limit=2${cursor === null ? "" : `&cursor=${cursor}`}`;
      const page = await (
        await manage("GET", `${CLIENTS}?${query}`)
      ).json<{ clients: ManagedClient[]; nextCursor: string | null }>();
      expect(page.clients.length).toBeLessThanOrEqual(2);
      for (const client of page.clients) expect(client).not.toHaveProperty("clientSecret");
      seen.push(...page.clients.map(({ clientId }) => clientId));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen.filter((id) => made.includes(id))).toEqual(made);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).not.toContain(registered);
  });

  it("are not those that registered themselves: nobody changes or deletes those here", async () => {
    const clientId = await newClient();
    for (const [method, path, body] of [
      ["GET", ""],
      ["PATCH", "", { trusted: true }],
      ["DELETE", ""],
      ["POST", "/secret"],
    ] as const) {
      const answer = await manage(method, `${CLIENTS}/${clientId}${path}`, body);
      expect([answer.status, (await json(answer))["code"]]).toEqual([404, "not_found"]);
    }
    expect(await rowOf(clientId)).toMatchObject({ skip_consent: null });
    expect((await manage("GET", `${CLIENTS}/nobody`)).status).toBe(404);
    expect((await manage("GET", `${CLIENTS}/no%00body`)).status).toBe(400);
  });

  it("are changed field by field, also by several at once", async () => {
    const client = await newManagedClient();
    const changes = [{ name: "Other name" }, { resources: [`${origin}/mcp`] }, { scopes: ["mcp:tools"] }];
    const answers = await Promise.all(changes.map((change) => manage("PATCH", pathOf(client), change)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(await json(await manage("GET", pathOf(client)))).toMatchObject(Object.assign({}, ...changes));
    expect((await clientToken(byBasic(client))).status).toBe(200);
  });

  it.each([
    ["no name", { name: " " }, '"name"'],
    ["a name with a line break", { name: "a\nb" }, '"name"'],
    ["a field of another name", { skip_consent: true }, "skip_consent"],
    ["a redirect that is no page", { redirectUris: ["javascript:alert(1)"] }, '"redirectUris"'],
    ["a redirect without TLS", { redirectUris: ["http://client.example.com/"] }, '"redirectUris"'],
    ["scopes for itself without a tenant", { clientCredentialsScopes: ["mcp:tools"] }, '"tenantId"'],
    ["an unknown tenant", { clientCredentialsScopes: ["mcp:tools"], tenantId: "nobody" }, '"tenantId"'],
    ["an unknown scope", { scopes: ["files:read"] }, '"scopes'],
    ["a resource elsewhere", { resources: ["https://other.example.com/mcp"] }, '"resources"'],
    ["introspection without a secret", { resources: [`${origin}/mcp`], authMethod: "none" }, '"authMethod"'],
    ["trust without a secret", { redirectUris: [REDIRECT], authMethod: "none", trusted: true }, '"trusted"'],
    ["nothing to do", {}, '"grantTypes"'],
    ["keys for a secret", { redirectUris: [REDIRECT], jwks: { keys: [{}] } }, '"jwks"'],
    ["no keys for assertions", { redirectUris: [REDIRECT], authMethod: "private_key_jwt" }, '"jwks"'],
  ])("cannot be made with %s", async (_what, fields, place) => {
    const answer = await manage("POST", CLIENTS, { name: "Client", ...fields });
    const body = await json(answer);
    expect([answer.status, body["code"]]).toEqual([400, "invalid_request"]);
    expect(body["detail"]).toContain(place);
  });

  it("D08: never get the scope admin for themselves", async () => {
    const { tenantId } = await newUser();
    const fields = { name: "Client", clientCredentialsScopes: ["mcp:tools", "admin"], tenantId };
    expect((await manage("POST", CLIENTS, fields)).status).toBe(400);
    const client = await newManagedClient();
    await db.execute(
      sql`update oauth_client set client_credentials_scopes = '{admin}' where client_id = ${client.clientId}`,
    );
    expect(await json(await clientToken(byBasic(client)))).toMatchObject({ error: "invalid_scope" });
  });

  it.each([
    ["no keys", { keys: [] }],
    ["a shared secret", { keys: [{ kty: "oct", k: "c2VjcmV0" }] }],
    ["no point of the curve", { keys: [{ kty: "EC", crv: "P-256", x: "AAAA", y: "AAAA" }] }],
    ["another curve", { keys: [{ kty: "EC", crv: "secp256k1", x: "AAAA", y: "AAAA" }] }],
  ])("D09: cannot have as keys %s", async (_what, jwks) => {
    const fields = { name: "Client", redirectUris: [REDIRECT], authMethod: "private_key_jwt", jwks };
    const answer = await manage("POST", CLIENTS, fields);
    expect([answer.status, String((await json(answer))["detail"])]).toEqual([400, expect.stringContaining("jwks")]);
  });

  it("D09: cannot have a private key, nor an address of keys", async () => {
    const { jwks, private: whole } = await clientKeys();
    const secret = { keys: [whole] };
    const fields = { name: "Client", redirectUris: [REDIRECT], authMethod: "private_key_jwt" };
    for (const keys of [{ jwks: secret }, { jwks, jwks_uri: "https://client.example.com/jwks" }]) {
      const answer = await manage("POST", CLIENTS, { ...fields, ...keys });
      const text = await answer.text();
      expect(answer.status).toBe(400);
      expect(text).not.toContain(whole.d);
    }
  });
});

describe("who manages clients", () => {
  const everything: readonly (readonly [string, string, unknown?])[] = [
    ["POST", CLIENTS, { name: "Client", redirectUris: [REDIRECT] }],
    ["GET", CLIENTS],
    ["GET", `${CLIENTS}/x`],
    ["PATCH", `${CLIENTS}/x`, {}],
    ["DELETE", `${CLIENTS}/x`],
    ["POST", `${CLIENTS}/x/secret`],
  ];

  it("J02: is no holder of a key with the scope admin who is no administrator, or is none any more", async () => {
    const { key } = await newKey({ scopes: ["admin"] });
    for (const [method, path, body] of everything) {
      const answer = await managing(key)(method, path, body);
      expect([answer.status, (await json(answer))["code"]]).toEqual([403, "forbidden"]);
    }
    const administrator = await newAdministrator();
    const list = async () => (await managing(administrator.key)("GET", CLIENTS)).status;
    expect(await list()).toBe(200);
    await setRole(administrator.id, "user");
    expect(await list()).toBe(403);
    await setRole(administrator.id, "admin");
    await db.execute(sql`update "user" set banned = true where id = ${administrator.id}`);
    expect([401, 403]).toContain(await list());
  });

  it("is no administrator with a key for other things", async () => {
    const { id } = await newAdministrator();
    const { key } = await newKey({ userId: id });
    for (const [method, path, body] of everything) {
      const answer = await managing(key)(method, path, body);
      expect([answer.status, (await json(answer))["code"]]).toEqual([403, "insufficient_scope"]);
    }
  });

  it("J02: makes or changes no client with a key that is held to less: the client would be held to nothing", async () => {
    const { id } = await newAdministrator();
    const { key, id: keyId } = await newKey({ userId: id, scopes: ["admin"] });
    await db.execute(sql`update api_key_policy set quota_max = 100, quota_period = 'total' where key_id = ${keyId}`);
    const made = await newManagedClient();
    const at = `${CLIENTS}/${made.clientId}`;
    for (const [method, path, body] of [
      ["POST", CLIENTS, { name: "x", clientCredentialsScopes: ["mcp:tools"], tenantId: "x" }],
      ["PATCH", at, { name: "y" }],
      ["POST", `${at}/secret`, undefined],
    ] as const) {
      const answer = await managing(key)(method, path, body);
      expect([path, answer.status, (await json(answer))["code"]]).toEqual([path, 403, "forbidden"]);
    }
    expect((await managing(key)("GET", at)).status).toBe(200);
    expect((await managing(key)("DELETE", at)).status).toBe(200);
  });

  it("O05: is no access token for a server of the gateway (401), none without the scope admin, and no machine", async () => {
    const [clientId, person] = [await newClient(), await newPerson()];
    const withToken = async (token: unknown) =>
      (await request(CLIENTS, { headers: { authorization: `Bearer ${String(token)}` } })).status;
    const scope = "mcp:tools admin";
    const code = await adminCodeFor(clientId, person, scope);
    const forServer = await adminCodeFor(clientId, person, scope, { resource: `${origin}/mcp/notes` });
    const server = await json(await redeem(clientId, forServer));
    expect(await withToken(server["access_token"])).toBe(401);
    const tokens = await json(await redeem(clientId, code));
    expect(await withToken(tokens["access_token"])).toBe(200);
    await setRole(person.id, "user");
    expect(await withToken(tokens["access_token"])).toBe(403);
    const plain = await tokensFor(clientId, await newPerson());
    expect(await withToken(plain.access_token)).toBe(403);
    const machine = await json(await clientToken(byBasic(await newManagedClient())));
    expect(await withToken(machine["access_token"])).toBe(403);
  });

  it("D08: is no administrator in a browser, past the management API", async () => {
    const browser = formBrowser();
    const person = await newPerson();
    await authorize(browser, authorizePath(await newClient()), person);
    await setRole(person.id, "admin");
    const fields = { redirect_uris: ["https://past.example.com/"], client_name: "Past", skip_consent: true };
    for (const path of ["/oauth2/create-client", "/admin/oauth2/create-client"]) {
      const answer = await browser.send(`${AUTH}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", origin },
        body: JSON.stringify(fields),
      });
      expect([401, 403, 404]).toContain(answer.status);
    }
    const made = sql`select id from oauth_client where redirect_uris @> array['https://past.example.com/']`;
    expect((await db.execute(made)).rows).toEqual([]);
  });
});

describe("what people have granted a client", () => {
  const newOne = () =>
    newManagedClient({ redirectUris: [REDIRECT], scopes: ["openid", "offline_access", "mcp:tools"] });

  it("ends before the answer when the client is disabled, and does not come back when it is enabled", async () => {
    const [client, person] = [await newOne(), await newPerson()];
    const tokens = await tokensOf(client, person);
    expect(await statusWith(tokens["access_token"])).toBe(200);
    expect((await manage("PATCH", pathOf(client), { disabled: true })).status).toBe(200);
    expect(await statusWith(tokens["access_token"])).toBe(401);
    const visit = await formBrowser().open(authorizePath(client.clientId));
    expect("page" in visit && visit.page.html).toContain("client");
    expect(await manage("PATCH", pathOf(client), { disabled: false })).toMatchObject({ status: 200 });
    const again = await renew(client, tokens["refresh_token"]);
    expect([again.status, (await json(again))["error"]]).toEqual([400, "invalid_grant"]);
    expect(await statusWith((await tokensOf(client, person))["access_token"])).toBe(200);
  });

  it("ends before the answer when the client is deleted", async () => {
    const client = await newOne();
    const tokens = await tokensOf(client, await newPerson());
    expect(await json(await manage("DELETE", pathOf(client)))).toEqual({ deleted: true });
    expect(await statusWith(tokens["access_token"])).toBe(401);
    expect((await json(await renew(client, tokens["refresh_token"])))["error"]).toMatch(/^invalid_(client|grant)$/);
    expect(await rowOf(client.clientId)).toBeUndefined();
    expect((await manage("DELETE", pathOf(client))).status).toBe(404);
  });

  it("goes on with a new secret: access tokens end, refresh tokens wait for it", async () => {
    const client = await newOne();
    const tokens = await tokensOf(client, await newPerson());
    const rotated = await (await manage("POST", `${pathOf(client)}/secret`)).json<ManagedClient>();
    expect(rotated.clientSecret).not.toBe(client.clientSecret);
    expect(await statusWith(tokens["access_token"])).toBe(401);
    expect((await json(await renew(client, tokens["refresh_token"])))["error"]).toBe("invalid_client");
    const renewed = await renew(rotated, tokens["refresh_token"]);
    expect(renewed.status).toBe(200);
    expect(await statusWith((await json(renewed))["access_token"])).toBe(200);
  });

  it("is no more than its scopes allow", async () => {
    const client = await newOne();
    const answer = await authorize(
      formBrowser(),
      authorizePath(client.clientId, { scope: "mcp:tools audit:read" }),
      await newPerson(),
    );
    expect(answer.searchParams.get("error")).toBe("invalid_scope");
    const tokens = await tokensOf(client, await newPerson());
    await manage("PATCH", pathOf(client), { scopes: ["openid"] });
    expect(await statusWith(tokens["access_token"])).toBe(401);
    expect((await json(await renew(client, tokens["refresh_token"])))["error"]).toBe("invalid_scope");
  });

  it("is asked of them, unless an administrator trusts the client", async () => {
    const person = await newPerson();
    const usual = await newOne();
    const first = formBrowser();
    const visit = await first.open(authorizePath(usual.clientId));
    const asked = "page" in visit ? await signInAt(first, visit, person) : visit;
    expect("page" in asked && asked.page.url.pathname).toBe("/consent");
    const trusted = await newManagedClient({ redirectUris: [REDIRECT], trusted: true });
    const answer = await first.open(authorizePath(trusted.clientId));
    expect("leftFor" in answer && answer.leftFor.searchParams.get("code")).toEqual(expect.any(String));
  });

  it("of another client is not touched", async () => {
    const [client, person] = [await newOne(), await newPerson()];
    const other = await newClient();
    const tokens = await tokensFor(other, person);
    await tokensOf(client, person);
    await manage("DELETE", pathOf(client));
    expect(await statusWith(tokens.access_token)).toBe(200);
    expect((await refresh(other, tokens.refresh_token)).status).toBe(200);
  });
});

describe("a secret", () => {
  it("C04: is refused after it was replaced", async () => {
    const client = await newManagedClient();
    const rotated = await (await manage("POST", `${pathOf(client)}/secret`)).json<ManagedClient>();
    expect((await clientToken(byBasic(client))).status).toBe(401);
    expect((await clientToken(byBasic(rotated))).status).toBe(200);
  });

  it("is not given to a client that has none", async () => {
    const { jwks } = await clientKeys();
    const keyed = await newManagedClient({ authMethod: "private_key_jwt", jwks });
    const open = await newManagedClient({ authMethod: "none", redirectUris: [REDIRECT] });
    expect([keyed.clientSecret, open.clientSecret]).toEqual([null, null]);
    for (const client of [keyed, open]) expect((await manage("POST", `${pathOf(client)}/secret`)).status).toBe(400);
  });
});

describe("a fault on the way", () => {
  it.each([
    ["disabling", "PATCH", "", { disabled: true }],
    ["deleting", "DELETE", "", undefined],
    ["another secret", "POST", "/secret", undefined],
  ])("leaves no token alive that the next try of %s was to end", async (_what, method, path, body) => {
    let failed = 0;
    for (const fault of [
      ...[2, 3, 4, 5, 6].map((nth) => ({ neon: { mode: "reset-before", nth } })),
      ...[4, 5].map((nth) => ({ neon: { mode: "reset-after-commit", nth } })),
      { upstash: { mode: "reset-before", nth: 2 } },
      { upstash: { mode: "reset-after-commit", nth: 2 } },
    ]) {
      const client = await newManagedClient();
      const { access_token: token } = await json(await clientToken(byBasic(client)));
      const first = await withFault(fault, () => manage(method, `${pathOf(client)}${path}`, body));
      expect([200, 503]).toContain(first.status);
      if (first.status === 503) {
        failed++;
        expect(first.headers.get("retry-after")).toBe("2");
        const second = await manage(method, `${pathOf(client)}${path}`, body);
        expect([200, 404]).toContain(second.status);
      }
      expect(await statusWith(token)).toBe(401);
    }
    expect(failed).toBeGreaterThan(3);
  });
});
