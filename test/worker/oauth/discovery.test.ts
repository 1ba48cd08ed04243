import { describe, expect, it } from "vitest";
import { ALL_SCOPES } from "../../../src/identity/scopes.ts";
import { origin, request, resetStats, stats } from "../../support/gateway.ts";
import { AUTH, gatewayWith, json, newClient, newPerson, tokensFor } from "../../support/oauth.ts";

const SERVER = "/.well-known/oauth-authorization-server";
const OPENID = "/.well-known/openid-configuration";
const RESOURCE = "/.well-known/oauth-protected-resource";

describe("authorization server metadata", () => {
  it.each([SERVER, OPENID])("R20: %s names this issuer, its endpoints, scopes, code and S256", async (path) => {
    const answer = await request(path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    const document = await json(answer);
    expect(document).toMatchObject({
      issuer: origin,
      authorization_endpoint: `${origin}${AUTH}/oauth2/authorize`,
      token_endpoint: `${origin}${AUTH}/oauth2/token`,
      registration_endpoint: `${origin}${AUTH}/oauth2/register`,
      jwks_uri: `${origin}${AUTH}/jwks`,
      revocation_endpoint: `${origin}${AUTH}/oauth2/revoke`,
      introspection_endpoint: `${origin}${AUTH}/oauth2/introspect`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
      scopes_supported: ALL_SCOPES.filter((scope) => scope !== "admin"),
      authorization_response_iss_parameter_supported: true,
    });
    expect(document["scopes_supported"]).toEqual(
      expect.arrayContaining(["openid", "profile", "email", "offline_access", "mcp:tools"]),
    );
    const confidential = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
    expect(document).toMatchObject({
      grant_types_supported: expect.arrayContaining(["authorization_code", "refresh_token", "client_credentials"]),
      token_endpoint_auth_methods_supported: ["none", ...confidential],
      revocation_endpoint_auth_methods_supported: ["none", ...confidential],
      introspection_endpoint_auth_methods_supported: confidential,
      token_endpoint_auth_signing_alg_values_supported: expect.not.arrayContaining(["none"]),
      backchannel_logout_supported: false,
    });
  });

  it("R20: the OpenID Connect document adds where user information is", async () => {
    const document = await json(await request(OPENID));
    expect(document).toMatchObject({
      userinfo_endpoint: `${origin}${AUTH}/oauth2/userinfo`,
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["ES256"],
    });
  });

  it("R20: advertises no registration where an administrator has turned it off", async () => {
    const closed = gatewayWith({ CLIENT_REGISTRATION: "off" });
    const document = await json(await closed(SERVER));
    expect(document).not.toHaveProperty("registration_endpoint");
    expect(document["token_endpoint_auth_methods_supported"]).toContain("none");
  });

  it("R20: names the configured issuer whatever host the request came to", async () => {
    const gateway = gatewayWith({ BASE_URL: "https://gateway.example.com" });
    const headers = { host: "evil.example.com", "x-forwarded-host": "evil.example.com" };
    const text = await (await gateway(SERVER, { headers })).text();
    expect(JSON.parse(text)).toMatchObject({ issuer: "https://gateway.example.com" });
    expect(text).not.toContain("evil");
  });

  it.each([SERVER, OPENID, RESOURCE, `${RESOURCE}/mcp`, `${RESOURCE}/mcp/notes`])(
    "R20: answers %s without any round trip, and lets others cache it",
    async (path) => {
      await request(path);
      await resetStats();
      const answer = await request(path);
      expect(answer.headers.get("cache-control")).toBe("public, max-age=300");
      expect(await stats()).toMatchObject({ sqlRequests: 0, redisRequests: 0 });
    },
  );

  it("R20: publishes the public half of its signing keys only, without a round trip", async () => {
    await tokensFor(await newClient(), await newPerson());
    await resetStats();
    const { keys } = await (await request(`${AUTH}/jwks`)).json<{ keys: Record<string, unknown>[] }>();
    expect(await stats()).toMatchObject({ sqlRequests: 0, redisRequests: 0 });
    expect(keys.length).toBeGreaterThan(0);
    for (const key of keys) {
      expect(key).toMatchObject({ kty: "EC", crv: "P-256", alg: "ES256", kid: expect.any(String) });
      expect(key).not.toHaveProperty("d");
    }
  });
});

describe("protected resource metadata", () => {
  const expected = (resource: string) => ({
    resource,
    authorization_servers: [origin],
    scopes_supported: ["mcp:tools"],
    bearer_methods_supported: ["header"],
    dpop_signing_alg_values_supported: ["ES256", "EdDSA"],
    resource_name: expect.any(String),
  });

  it.each([RESOURCE, `${RESOURCE}/mcp`])("R20: %s describes /mcp with the minimal scopes", async (path) => {
    expect(await json(await request(path))).toEqual(expected(`${origin}/mcp`));
  });

  it.each(["notes", "nobody-has-it"])(
    "R20: describes the server %s, whether or not somebody has one of that name",
    async (slug) => {
      const answer = await request(`${RESOURCE}/mcp/${slug}`);
      expect(answer.status).toBe(200);
      expect(await json(answer)).toEqual(expected(`${origin}/mcp/${slug}`));
    },
  );

  it.each(["authorize", "token", "register", "UPPER", "a_b", "a%2Fb", "seventeen-letters", "notes/x"])(
    "R20: describes nothing for the reserved or ill-formed slug %j",
    async (slug) => {
      expect((await request(`${RESOURCE}/mcp/${slug}`)).status).toBe(404);
    },
  );
});

describe("clients in a browser", () => {
  const CLIENT = { origin: "https://client.example.com" };

  it.each([SERVER, OPENID, RESOURCE, `${RESOURCE}/mcp/notes`, `${AUTH}/jwks`])("may read %s", async (path) => {
    const answer = await request(path, { headers: CLIENT });
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
  });

  it.each(["token", "register", "revoke", "introspect", "userinfo"])(
    "may ask the %s endpoint, errors included, without cookies",
    async (name) => {
      const path = `${AUTH}/oauth2/${name}`;
      const asked = { "access-control-request-method": "POST", "access-control-request-headers": "content-type" };
      const preflight = await request(path, { method: "OPTIONS", headers: { ...CLIENT, ...asked } });
      expect(preflight.status).toBe(204);
      expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
      expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
      expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
      expect(preflight.headers.get("access-control-allow-credentials")).toBeNull();
      const headers = { ...CLIENT, "content-type": "application/x-www-form-urlencoded" };
      const answer = await request(path, { method: name === "userinfo" ? "GET" : "POST", headers });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
      expect(answer.headers.get("access-control-expose-headers")).toContain("www-authenticate");
    },
  );

  it.each([`${AUTH}/oauth2/authorize`, "/authorize", "/mcp/authorize", `${AUTH}/get-session`, `${AUTH}/sign-in/email`])(
    "may not read %s (RFC 9700 §2.6)",
    async (path) => {
      const answer = await request(path, { headers: CLIENT });
      expect(answer.headers.get("access-control-allow-origin")).toBeNull();
      const preflight = await request(path, { method: "OPTIONS", headers: CLIENT });
      expect(preflight.headers.get("access-control-allow-origin")).toBeNull();
    },
  );
});
