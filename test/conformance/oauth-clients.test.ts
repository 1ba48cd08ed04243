import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { describe, expect, inject, it } from "vitest";
import { authorize, formBrowser } from "../../dev/form-browser.ts";

const system = inject("system");
const REDIRECT = "http://127.0.0.1:43119/callback";
const SCOPE = "openid profile offline_access mcp:tools";
const person = formBrowser(system.url);

/** The status of a tool call with an access token. */
async function callEcho(token: string): Promise<number> {
  const answer = await fetch(system.mcp, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "echo", arguments: { text: "hello" } },
    }),
  });
  await answer.text();
  return answer.status;
}

const METHODS = ["none", "client_secret_basic", "client_secret_post"] as const;

describe("oauth4webapi", () => {
  // The system under test listens on loopback in the clear.
  const insecure = { [oauth.allowInsecureRequests]: true };

  const authenticationBy = (method: (typeof METHODS)[number], secret = ""): oauth.ClientAuth => {
    if (method === "none") return oauth.None();
    return method === "client_secret_basic" ? oauth.ClientSecretBasic(secret) : oauth.ClientSecretPost(secret);
  };

  it.each(METHODS)("R17 R20 R21: goes from discovery to revocation as a client of the method %s", async (method) => {
    const issuer = new URL(system.url);
    const server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure }),
    );
    const metadata = {
      client_name: `oauth4webapi ${method}`,
      redirect_uris: [REDIRECT],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: method,
    };
    const client = await oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(server, metadata, insecure),
    );
    const authentication = authenticationBy(method, client.client_secret as string | undefined);

    const verifier = oauth.generateRandomCodeVerifier();
    const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
    const url = new URL(server.authorization_endpoint ?? "");
    url.search = new URLSearchParams({
      client_id: client.client_id,
      redirect_uri: REDIRECT,
      response_type: "code",
      scope: SCOPE,
      resource: system.mcp,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      state,
      nonce,
    }).toString();
    const parameters = oauth.validateAuthResponse(server, client, await authorize(person, url, system.user), state);
    const answer = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication,
      parameters,
      REDIRECT,
      verifier,
      { additionalParameters: { resource: system.mcp }, ...insecure },
    );
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
      expectedNonce: nonce,
      requireIdToken: true,
    });
    expect(oauth.getValidatedIdTokenClaims(tokens)).toMatchObject({ iss: system.url });
    expect(await callEcho(tokens.access_token)).toBe(200);

    const renewed = await oauth.processRefreshTokenResponse(
      server,
      client,
      await oauth.refreshTokenGrantRequest(server, client, authentication, tokens.refresh_token ?? "", insecure),
    );
    expect(await callEcho(renewed.access_token)).toBe(200);

    const asked = await oauth.introspectionRequest(server, client, authentication, renewed.access_token, insecure);
    if (method === "none") {
      // Introspection is for clients that can prove who they are.
      await expect(oauth.processIntrospectionResponse(server, client, asked)).rejects.toThrow(
        oauth.WWWAuthenticateChallengeError,
      );
    } else {
      const told = await oauth.processIntrospectionResponse(server, client, asked);
      expect(told).toMatchObject({
        active: true,
        client_id: client.client_id,
        scope: expect.stringContaining("mcp:tools"),
      });
    }

    const revoked = await oauth.revocationRequest(
      server,
      client,
      authentication,
      renewed.refresh_token ?? "",
      insecure,
    );
    await oauth.processRevocationResponse(revoked);
    expect(await callEcho(renewed.access_token)).toBe(401);
    if (method !== "none") {
      const after = await oauth.introspectionRequest(server, client, authentication, renewed.access_token, insecure);
      expect(await oauth.processIntrospectionResponse(server, client, after)).toEqual({ active: false });
    }
  });
});

describe("openid-client", () => {
  it.each(METHODS)("R17 R20 R21: goes from discovery to revocation as a client of the method %s", async (method) => {
    const config = await openid.dynamicClientRegistration(
      new URL(system.url),
      {
        client_name: `openid-client ${method}`,
        redirect_uris: [REDIRECT],
        grant_types: ["authorization_code", "refresh_token"],
        token_endpoint_auth_method: method,
      },
      { none: openid.None, client_secret_basic: openid.ClientSecretBasic, client_secret_post: openid.ClientSecretPost }[
        method
      ](),
      { execute: [openid.allowInsecureRequests] },
    );
    expect(config.clientMetadata()["token_endpoint_auth_method"]).toBe(method);

    const verifier = openid.randomPKCECodeVerifier();
    const state = openid.randomState();
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT,
      scope: SCOPE,
      resource: system.mcp,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      state,
    });
    const callback = await authorize(person, url, system.user);
    const tokens = await openid.authorizationCodeGrant(
      config,
      callback,
      { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: true },
      { resource: system.mcp },
    );
    expect(tokens.claims()).toMatchObject({ iss: system.url });
    expect(await callEcho(tokens.access_token)).toBe(200);

    const renewed = await openid.refreshTokenGrant(config, tokens.refresh_token ?? "");
    expect(await callEcho(renewed.access_token)).toBe(200);
    if (method === "none") {
      await expect(openid.tokenIntrospection(config, renewed.access_token)).rejects.toThrow(
        /OAUTH|WWW|challenge|error/i,
      );
    } else {
      expect(await openid.tokenIntrospection(config, renewed.access_token)).toMatchObject({ active: true });
    }
    await openid.tokenRevocation(config, renewed.refresh_token ?? "");
    expect(await callEcho(renewed.access_token)).toBe(401);
  });
});
