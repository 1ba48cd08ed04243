import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { isApiKey } from "../../../src/keys/token.ts";
import { formBrowser, type FormBrowser } from "../../support/browsing.ts";
import { callTool, db, origin, request } from "../../support/gateway.ts";
import { AUTH, json, newPerson, PASSWORD, type Person } from "../../support/oauth.ts";

interface Owner {
  person: Person;
  browser: FormBrowser;
  /** Sends JSON to Better Auth in the owner's session. */
  post: (path: string, body: Record<string, unknown>, headers?: Record<string, string>) => Promise<Response>;
  newKey: (fields?: Record<string, unknown>) => Promise<{ id: string; key: string }>;
}

const JSON_TYPE = { "content-type": "application/json" };

/** Somebody who is signed in. */
async function newOwner(): Promise<Owner> {
  const [person, browser] = [await newPerson(), formBrowser()];
  const post: Owner["post"] = (path, body, headers = { origin }) =>
    browser.send(`${AUTH}${path}`, {
      method: "POST",
      headers: { ...JSON_TYPE, ...headers },
      body: JSON.stringify(body),
    });
  const signedIn = await post("/sign-in/email", { email: person.email, password: PASSWORD });
  expect(signedIn.status).toBe(200);
  const newKey: Owner["newKey"] = async (fields = {}) => {
    const answer = await post("/api-key/create", { name: "Laptop", ...fields });
    expect(answer.status).toBe(200);
    return answer.json();
  };
  return { person, browser, post, newKey };
}

const statusOf = async (key: string) => (await callTool("echo", { text: "x" }, { key })).status;

const keysOf = async (userId: string) =>
  (await db.execute(sql`select * from apikey where reference_id = ${userId}`)).rows;

describe("API keys of a signed-in person", () => {
  it("R7: have our form, the default scopes, and work at /mcp", async () => {
    const { person, newKey } = await newOwner();
    const { key } = await newKey();
    expect(key).toMatch(/^mrg_live_[0-9A-Za-z]{49}$/);
    expect(isApiKey(key)).toBe(true);
    const { result } = await callTool("whoami", {}, { key });
    expect(result?.structuredContent).toEqual({
      userId: person.id,
      tenantId: person.tenantId,
      scopes: ["mcp:tools", "mcp-registry:read"],
      credential: "api_key",
      credentialName: "Laptop",
      clientId: null,
    });
  });

  it("R9: stop working at the very next call after they are deleted", async () => {
    const { post, newKey } = await newOwner();
    const { id, key } = await newKey();
    expect(await statusOf(key)).toBe(200);
    expect((await post("/api-key/delete", { keyId: id })).status).toBe(200);
    expect(await statusOf(key)).toBe(401);
  });

  it("R9: stop working at the very next call after they are disabled, and work again when enabled", async () => {
    const { post, newKey } = await newOwner();
    const { id, key } = await newKey();
    for (const [enabled, status] of [
      [false, 401],
      [true, 200],
      [false, 401],
    ] as const) {
      expect((await post("/api-key/update", { keyId: id, enabled })).status).toBe(200);
      expect(await statusOf(key)).toBe(status);
    }
  });

  it("J10: are shown once, and stored as a hash and their first characters", async () => {
    const { person, browser, newKey } = await newOwner();
    const { id, key } = await newKey();
    const shown = [
      await (await browser.send(`${AUTH}/api-key/list`)).text(),
      await (await browser.send(`${AUTH}/api-key/get?id=${id}`)).text(),
      JSON.stringify(await keysOf(person.id)),
    ];
    for (const text of shown) {
      expect(text).toContain(key.slice(0, 13));
      expect(text).not.toContain(key.slice(0, 14));
      expect(text).not.toContain(key.slice(-20));
    }
  });

  it("J01: are not made without a session, whatever user the body names", async () => {
    const { person } = await newOwner();
    const body = JSON.stringify({ name: "x", userId: person.id });
    const answer = await request(`${AUTH}/api-key/create`, { method: "POST", headers: { ...JSON_TYPE, origin }, body });
    expect(answer.status).toBe(401);
    expect(await keysOf(person.id)).toEqual([]);
  });

  it("J01: are not made for somebody else", async () => {
    const [owner, other] = [await newOwner(), await newPerson()];
    const answer = await owner.post("/api-key/create", { name: "x", userId: other.id });
    expect([400, 401, 403]).toContain(answer.status);
    expect(await keysOf(other.id)).toEqual([]);
  });

  it.each([
    { permissions: { admin: ["*"] } },
    { remaining: 1_000_000 },
    { rateLimitEnabled: false },
    { rateLimitMax: 1_000_000 },
    { rateLimitTimeWindow: 1 },
    { refillAmount: 1, refillInterval: 1 },
  ])("J01: take no %j from their owner, neither at first nor later", async (fields) => {
    const { post, newKey } = await newOwner();
    expect((await post("/api-key/create", { name: "x", ...fields })).status).toBe(400);
    const { id, key } = await newKey();
    expect((await post("/api-key/update", { keyId: id, ...fields })).status).toBe(400);
    const { result } = await callTool("whoami", {}, { key });
    expect(result?.structuredContent).toMatchObject({ scopes: ["mcp:tools", "mcp-registry:read"] });
  });

  it("J01: of somebody else can be neither read nor changed nor deleted", async () => {
    const [owner, stranger] = [await newOwner(), await newOwner()];
    const { id, key } = await owner.newKey();
    const answers = [
      await stranger.browser.send(`${AUTH}/api-key/get?id=${id}`),
      await stranger.post("/api-key/update", { keyId: id, enabled: false }),
      await stranger.post("/api-key/delete", { keyId: id }),
    ];
    for (const answer of answers) expect(answer.status).toBe(404);
    expect(await statusOf(key)).toBe(200);
  });

  it("Q03: are not made or deleted at the wish of another site", async () => {
    const { person, post, newKey } = await newOwner();
    const { id, key } = await newKey();
    for (const headers of [
      { origin: "https://evil.example.com" },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
    ]) {
      expect((await post("/api-key/create", { name: "x" }, headers as Record<string, string>)).status).toBe(403);
      expect((await post("/api-key/delete", { keyId: id }, headers as Record<string, string>)).status).toBe(403);
    }
    expect(await keysOf(person.id)).toHaveLength(1);
    expect(await statusOf(key)).toBe(200);
  });

  it.each([0, -1, 366 * 86_400, 253_402_300_799, "tomorrow", null])(
    "J11: expire in a sensible time or not at all, not in %j seconds",
    async (expiresIn) => {
      const { post } = await newOwner();
      const answer = await post("/api-key/create", { name: "x", expiresIn });
      if (expiresIn === null) expect(await json(answer)).toMatchObject({ expiresAt: null });
      else expect(answer.status).toBe(400);
    },
  );

  it.each(["", "x".repeat(1_000), 7])("need a name of sensible length: %j", async (name) => {
    const { post } = await newOwner();
    expect((await post("/api-key/create", { name })).status).toBe(400);
  });

  it("are no way into the account: a key is no session, and keys are not checked over HTTP", async () => {
    const { newKey, browser } = await newOwner();
    const { key } = await newKey();
    for (const headers of [{ "x-api-key": key }, { authorization: `Bearer ${key}` }]) {
      const session = await request(`${AUTH}/get-session`, { headers: headers as Record<string, string> });
      expect(await session.json()).toBeNull();
    }
    expect(
      (await browser.send(`${AUTH}/api-key/verify`, { method: "POST", headers: { ...JSON_TYPE, origin }, body: "{}" }))
        .status,
    ).toBe(404);
  });
});

describe("a signed-in person", () => {
  it("D08: makes no OAuth clients past the registration's policy, and changes none", async () => {
    const { post } = await newOwner();
    const fields = { redirect_uris: ["https://evil.example.com/"], skip_consent: true, client_name: "Trusted" };
    for (const path of [
      "/oauth2/create-client",
      "/admin/oauth2/create-client",
      "/oauth2/update-client",
      "/admin/oauth2/resources",
    ]) {
      expect([401, 403, 404, 400]).toContain((await post(path, fields)).status);
    }
    const made = await db.execute(
      sql`select id from oauth_client where redirect_uris @> array['https://evil.example.com/']`,
    );
    expect(made.rows).toEqual([]);
  });

  it("D08: registers a client as a stranger does, not in their own name", async () => {
    const { post } = await newOwner();
    const fields = { redirect_uris: ["https://client.example.com/cb"], grant_types: ["client_credentials"] };
    expect((await post("/oauth2/register", fields)).status).toBe(400);
    const answer = await post("/oauth2/register", { redirect_uris: ["https://client.example.com/cb"] });
    expect(answer.status).toBe(201);
    expect(await json(answer)).not.toHaveProperty("user_id");
  });

  it.each(["/admin/list-users", "/token", "/open-api/generate-schema", "/reference", "/admin/oauth2/resources"])(
    "S03: finds nothing at %s",
    async (path) => {
      const { browser } = await newOwner();
      expect([403, 404]).toContain((await browser.send(`${AUTH}${path}`)).status);
    },
  );
});
