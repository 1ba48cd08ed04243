import { SignJWT, UnsecuredJWT } from "jose";
import { describe, expect, it } from "vitest";
import { callTool, origin, request, withFault } from "../../support/gateway.ts";
import { AUTH, codeFor, json, newPerson, REDIRECT, tokensFor, VERIFIER, newClient } from "../../support/oauth.ts";
import {
  byAssertion,
  byBasic,
  byPost,
  clientKeys,
  clientToken,
  newManagedClient,
  postAs,
  type Sent,
} from "../../support/managed-clients.ts";

const TOKEN_ENDPOINT = `${origin}${AUTH}/oauth2/token`;

async function expectUnknown(answer: Response, statuses = [400, 401]): Promise<void> {
  expect(statuses).toContain(answer.status);
  expect(await json(answer)).toEqual({ error: "invalid_client", error_description: expect.any(String) });
  expect(answer.headers.get("cache-control")).toContain("no-store");
}

async function newKeyClient(alg?: string) {
  const keys = await clientKeys(alg);
  const { clientId } = await newManagedClient({ authMethod: "private_key_jwt", jwks: keys.jwks });
  return { ...keys, clientId };
}

describe("a client with a secret", () => {
  it("C04: is refused with a wrong one: by header with a challenge, by form without", async () => {
    const basic = await newManagedClient();
    const refused = await clientToken(byBasic({ ...basic, clientSecret: "wrong" }));
    expect(refused.headers.get("www-authenticate")).toMatch(/^Basic/);
    await expectUnknown(refused, [401]);
    const post = await newManagedClient({ authMethod: "client_secret_post" });
    await expectUnknown(await clientToken(byPost({ ...post, clientSecret: "wrong" })));
    await expectUnknown(await clientToken(byPost({ ...post, clientSecret: "" })));
  });

  it("C06: is refused when it sends it in another way than registered, or not at all", async () => {
    const basic = await newManagedClient();
    const post = await newManagedClient({ authMethod: "client_secret_post" });
    await expectUnknown(await clientToken(byPost(basic)));
    await expectUnknown(await clientToken(byBasic(post)), [401]);
    for (const { clientId } of [basic, post])
      await expectUnknown(await clientToken({ fields: { client_id: clientId } }));
    const both = await clientToken({ ...byBasic(basic), ...byPost(basic) });
    expect([both.status, (await json(both))["error"]]).toEqual([400, "invalid_request"]);
    expect((await clientToken(byBasic(basic))).status).toBe(200);
    expect((await clientToken(byPost(post))).status).toBe(200);
  });

  it("C06: is not let in by an assertion, nor by one of a public client", async () => {
    const { sign } = await clientKeys();
    const withSecret = await newManagedClient();
    await expectUnknown(await clientToken(byAssertion(await sign(withSecret.clientId))));
    await expectUnknown(await clientToken(byAssertion(await sign(await newClient()))));
  });

  it("C08: gets nothing for a code of another client, whose grant goes on", async () => {
    const [mine, other] = [
      await newManagedClient({ redirectUris: [REDIRECT] }),
      await newManagedClient({ redirectUris: [REDIRECT] }),
    ];
    const person = await newPerson();
    const first = await codeFor(mine.clientId, person);
    const fields = { grant_type: "authorization_code", redirect_uri: REDIRECT, code_verifier: VERIFIER };
    const { access_token: token } = await json(await postAs("token", byBasic(mine), { ...fields, code: first }));
    const code = await codeFor(mine.clientId, person);
    const stolen = await postAs("token", byBasic(other), { ...fields, code });
    expect([stolen.status, (await json(stolen))["error"]]).toEqual([400, "invalid_grant"]);
    expect((await callTool("echo", { text: "x" }, { token: String(token) })).status).toBe(200);
  });
});

describe("a client with a key", () => {
  it.each([
    ["the issuer", origin],
    ["the token endpoint", TOKEN_ENDPOINT],
    ["both, and others", [origin, TOKEN_ENDPOINT, "https://other.example.com"]],
  ])("is let in by an assertion for %s", async (_what, aud) => {
    const { clientId, sign } = await newKeyClient();
    expect((await clientToken(byAssertion(await sign(clientId, { aud })))).status).toBe(200);
    const named = byAssertion(await sign(clientId, { aud }));
    expect((await clientToken({ fields: { ...named.fields, client_id: clientId } })).status).toBe(200);
  });

  it("R20: may sign with every algorithm that the metadata names", async () => {
    const metadata = await json(await request("/.well-known/oauth-authorization-server"));
    const algorithms = metadata["token_endpoint_auth_signing_alg_values_supported"] as string[];
    expect(algorithms).toEqual(expect.arrayContaining(["ES256", "RS256", "PS256", "EdDSA"]));
    expect(metadata["introspection_endpoint_auth_signing_alg_values_supported"]).toEqual(algorithms);
    for (const alg of algorithms) {
      const { clientId, sign } = await newKeyClient(alg);
      expect([alg, (await clientToken(byAssertion(await sign(clientId)))).status]).toEqual([alg, 200]);
    }
  });

  it("C15: gets in once by each assertion", async () => {
    const { clientId, sign } = await newKeyClient();
    const assertion = await sign(clientId);
    const answers = await Promise.all([1, 2, 3, 4].map(() => clientToken(byAssertion(assertion))));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) await expectUnknown(answer);
    await expectUnknown(await clientToken(byAssertion(assertion)));
    expect((await clientToken(byAssertion(await sign(clientId)))).status).toBe(200);
  });

  it("C15: is refused with an assertion that is unsigned or signed with a shared secret", async () => {
    const { clientId, jwks } = await newKeyClient();
    const claims = { iss: clientId, sub: clientId, aud: origin, jti: crypto.randomUUID() };
    const unsigned = new UnsecuredJWT(claims).setExpirationTime("1 minute").encode();
    await expectUnknown(await clientToken(byAssertion(unsigned)));
    for (const secret of ["secret".repeat(8), JSON.stringify(jwks.keys[0])]) {
      const signed = await new SignJWT(claims)
        .setProtectedHeader({ alg: "HS256" })
        .setExpirationTime("1 minute")
        .sign(new TextEncoder().encode(secret));
      await expectUnknown(await clientToken(byAssertion(signed)));
    }
  });

  const now = () => Math.floor(Date.now() / 1000);

  it.each([
    ["for somebody else", () => ({ aud: "https://other.example.com" })],
    ["for a resource of ours", () => ({ aud: `${origin}/mcp` })],
    ["for nobody", () => ({ aud: undefined })],
    ["that is over", () => ({ exp: now() - 60 })],
    ["that is good for a day", () => ({ exp: now() + 86_400 })],
    ["that never ends", () => ({ exp: undefined })],
    ["from another issuer", () => ({ iss: "https://other.example.com" })],
    ["about another client", () => ({ sub: "somebody" })],
    ["without an id", () => ({ jti: undefined })],
  ])("C15: is refused with an assertion %s", async (_what, claims) => {
    const { clientId, sign } = await newKeyClient();
    await expectUnknown(await clientToken(byAssertion(await sign(clientId, claims()))));
  });

  it("C15: is refused with an assertion by another key, of another type, malformed, or for another client id", async () => {
    const [mine, other] = [await newKeyClient(), await newKeyClient()];
    const good = byAssertion(await mine.sign(mine.clientId)).fields ?? {};
    const refused: Sent[] = [
      byAssertion(await other.sign(mine.clientId)),
      byAssertion("x.y.z"),
      byAssertion(""),
      { fields: { ...good, client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:saml2-bearer" } },
      { fields: { ...good, client_id: other.clientId } },
      { fields: { client_id: mine.clientId } },
      { fields: { client_id: mine.clientId, client_secret: "x" } },
    ];
    for (const client of refused) {
      const answer = await clientToken(client);
      expect([400, 401]).toContain(answer.status);
      expect(["invalid_client", "invalid_request"]).toContain((await json(answer))["error"]);
    }
  });

  it("signs people in, refreshes and revokes by assertions", async () => {
    const { jwks, sign } = await clientKeys();
    const fields = { authMethod: "private_key_jwt", jwks, redirectUris: [REDIRECT] };
    const { clientId } = await newManagedClient(fields);
    const code = await codeFor(clientId, await newPerson());
    const client = async () => byAssertion(await sign(clientId));
    const redemption = { grant_type: "authorization_code", code, redirect_uri: REDIRECT, code_verifier: VERIFIER };
    const tokens = await json(await postAs("token", await client(), redemption));
    const renewal = { grant_type: "refresh_token", refresh_token: String(tokens["refresh_token"]) };
    const renewed = await json(await postAs("token", await client(), renewal));
    const token = String(renewed["access_token"]);
    expect((await callTool("echo", { text: "x" }, { token })).status).toBe(200);
    const revoked = await postAs("revoke", await client(), { token: String(renewed["refresh_token"]) });
    expect(revoked.status).toBe(200);
    expect((await callTool("echo", { text: "x" }, { token })).status).toBe(401);
  });

  it("is told to come again while Postgres is down, not that it is unknown", async () => {
    const { clientId, sign } = await newKeyClient();
    const assertion = await sign(clientId);
    const failed = await withFault({ neon: { mode: "down" } }, () => clientToken(byAssertion(assertion)));
    expect([failed.status, (await json(failed))["error"]]).toEqual([503, "temporarily_unavailable"]);
    expect((await clientToken(byAssertion(assertion))).status).toBe(200);
  });
});

describe("revocation (RFC 7009)", () => {
  it("C17: of a token that nobody has, or with a wrong hint, is a success; an access token cannot be revoked", async () => {
    const client = await newManagedClient();
    const { access_token: token } = await json(await clientToken(byBasic(client)));
    expect((await postAs("revoke", byBasic(client), { token: "nobody-has-it" })).status).toBe(200);
    const publicClient = await newClient();
    const tokens = await tokensFor(publicClient, await newPerson());
    const asPublic = { fields: { client_id: publicClient } };
    const wrongHint = { token: tokens.refresh_token, token_type_hint: "access_token" };
    expect((await postAs("revoke", asPublic, wrongHint)).status).toBe(200);
    expect((await callTool("echo", { text: "x" }, { token: tokens.access_token })).status).toBe(401);
    const refused = await postAs("revoke", byBasic(client), { token: String(token) });
    expect([refused.status, (await json(refused))["error"]]).toEqual([400, "unsupported_token_type"]);
  });

  it("C04: is refused to a client with a wrong secret", async () => {
    const client = await newManagedClient();
    await expectUnknown(await postAs("revoke", byBasic({ ...client, clientSecret: "wrong" }), { token: "x" }), [401]);
  });
});
