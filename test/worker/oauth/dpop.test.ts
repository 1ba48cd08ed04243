import { describe, expect, it } from "vitest";
import { callTool, db, origin, request, resetStats, rpc, stats, withFault } from "../../support/gateway.ts";
import { backgroundSettled } from "../../support/worker.ts";
import {
  AUTH,
  claimsOf,
  codeFor,
  form,
  gatewayWith,
  json,
  newClient,
  newPerson,
  postForm,
  REDIRECT,
  tokensFor,
  VERIFIER,
  type Parameters,
  type Tokens,
} from "../../support/oauth.ts";
import { sql } from "drizzle-orm";
import { sha256 } from "../../../src/platform/crypto.ts";
import type { Send } from "../../support/browsing.ts";
import { newProofKey, proofFor, type ProofKey } from "../../support/proofs.ts";

const MCP = `${origin}/mcp`;
const TOKEN = `${AUTH}/oauth2/token`;
const ALGS = 'algs="ES256 EdDSA"';

/** A post to the token endpoint with a proof: a new one of the key, or the one given. */
async function postProved(
  parameters: Parameters,
  by: ProofKey | string,
  { path = TOKEN, gateway = request }: { path?: string; gateway?: Send } = {},
): Promise<Response> {
  const proof = typeof by === "string" ? by : await proofFor(by, { url: `${origin}${path}`, at: Date.now() });
  return gateway(path, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", dpop: proof },
    body: form(parameters),
  });
}

const redemption = (clientId: string, code: string) => ({
  grant_type: "authorization_code",
  client_id: clientId,
  code,
  redirect_uri: REDIRECT,
  code_verifier: VERIFIER,
});

const renewal = (clientId: string, token: string) => ({
  grant_type: "refresh_token",
  client_id: clientId,
  refresh_token: token,
});

/** Tokens of a person that are bound to a key. */
async function boundTokens(key: ProofKey, changed: Parameters = {}) {
  const clientId = await newClient();
  const code = await codeFor(clientId, await newPerson(), changed);
  const answer = await postProved(redemption(clientId, code), key);
  if (answer.status !== 200) throw new Error(`refused with ${answer.status}: ${await answer.text()}`);
  return { clientId, code, tokens: await answer.json<Tokens & { token_type: string }>() };
}

/** A tool call under the DPoP scheme with these proofs; none unless given. */
const callBound = (token: string, ...proofs: string[]) => {
  const headers = new Headers({ authorization: `DPoP ${token}` });
  for (const proof of proofs) headers.append("dpop", proof);
  return rpc("tools/call", { name: "whoami", arguments: {} }, { headers: Object.fromEntries(headers) });
};

const proofOf = (key: ProofKey, token: string, changed: Record<string, unknown> = {}, url = MCP) =>
  proofFor(key, { url, token, at: Date.now() }, changed);

const challengeOf = ({ response }: { response: Response }) => response.headers.get("www-authenticate") ?? "";

describe("a token that is bound to a key (RFC 9449)", () => {
  it("is made when the client proves to hold one, and works for who holds it", async () => {
    const key = await newProofKey();
    const { tokens, clientId } = await boundTokens(key);
    expect(tokens.token_type).toBe("DPoP");
    expect(claimsOf(tokens.access_token)["cnf"]).toEqual({ jkt: key.thumbprint });
    const { result } = await callBound(tokens.access_token, await proofOf(key, tokens.access_token));
    expect(result?.structuredContent).toMatchObject({ credential: "access_token", clientId });
  });

  it("may be bound to an Ed25519 key", async () => {
    const key = await newProofKey("EdDSA");
    const { tokens } = await boundTokens(key);
    expect((await callBound(tokens.access_token, await proofOf(key, tokens.access_token))).status).toBe(200);
  });

  it("K03: is no bearer token", async () => {
    const { tokens } = await boundTokens(await newProofKey());
    const answer = await callTool("whoami", {}, { token: tokens.access_token });
    expect(answer.status).toBe(401);
    expect(answer.error).toMatchObject({ data: { code: "wrong_token_scheme" } });
    expect(challengeOf(answer)).toBe(
      `DPoP error="invalid_token", ${ALGS}, resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`,
    );
  });

  it("K03: is worth nothing without a proof, with two, with another's, or with one of another request", async () => {
    const [key, thief] = [await newProofKey(), await newProofKey()];
    const { tokens } = await boundTokens(key);
    const token = tokens.access_token;
    const bad = [
      [],
      [await proofOf(key, token), await proofOf(key, token)],
      [await proofOf(thief, token)],
      [await proofOf(key, "another.token.entirely")],
      [await proofOf(key, token, { htm: "GET" })],
      [await proofOf(key, token, {}, `${MCP}/notes`)],
      [await proofOf(key, token, {}, `${origin}/mcp/`)],
      [await proofOf(key, token, { iat: Math.floor(Date.now() / 1000) - 90 })],
      ["not a proof"],
    ];
    for (const proofs of bad) {
      const answer = await callBound(token, ...proofs);
      expect(answer.status).toBe(401);
      expect(answer.error).toMatchObject({ data: { code: "invalid_dpop_proof" } });
      expect(challengeOf(answer)).toMatch(/^DPoP error="invalid_dpop_proof", algs="ES256 EdDSA", resource_metadata="/);
    }
  });

  it("K03: is told by the scheme when it is not good at all", async () => {
    const key = await newProofKey();
    const answer = await callBound("a.b.c", await proofOf(key, "a.b.c"));
    expect(answer.status).toBe(401);
    expect(challengeOf(answer)).toContain('DPoP error="invalid_token"');
  });

  it("K03: cannot be taken for bound when it is not", async () => {
    const tokens = await tokensFor(await newClient(), await newPerson());
    const key = await newProofKey();
    const answer = await callBound(tokens.access_token, await proofOf(key, tokens.access_token));
    expect(answer.status).toBe(401);
    expect(challengeOf(answer)).toContain('DPoP error="invalid_token"');
    expect((await callTool("whoami", {}, { token: tokens.access_token })).status).toBe(200);
  });

  it("lets a proof in once: of eight calls at the same time with one, one passes", async () => {
    const key = await newProofKey();
    const { tokens } = await boundTokens(key);
    for (let round = 0; round < 10; round++) {
      const proof = await proofOf(key, tokens.access_token);
      const answers = await Promise.all(Array.from({ length: 8 }, () => callBound(tokens.access_token, proof)));
      const statuses = answers.map(({ status }) => status);
      expect(statuses.filter((status) => status === 200)).toHaveLength(1);
      expect(statuses.filter((status) => status === 401)).toHaveLength(7);
    }
  });

  it("goes by our own address, whatever host the request came to", async () => {
    const key = await newProofKey();
    const { tokens } = await boundTokens(key);
    const call = async (url: string) => {
      const headers = {
        authorization: `DPoP ${tokens.access_token}`,
        dpop: await proofOf(key, tokens.access_token, {}, url),
        host: "evil.example.com",
        "x-forwarded-host": "evil.example.com",
      };
      return (await rpc("tools/list", {}, { headers })).status;
    };
    expect(await call("https://evil.example.com/mcp")).toBe(401);
    expect(await call(`${MCP}?session=1`)).toBe(200);
  });

  it("is good at the management API and for user information too, with a proof for each", async () => {
    const key = await newProofKey();
    const { tokens } = await boundTokens(key, { scope: "openid mcp:tools mcp-registry:read" });
    const token = tokens.access_token;
    const get = async (path: string, proof?: string) =>
      request(path, { headers: { authorization: `DPoP ${token}`, ...(proof === undefined ? {} : { dpop: proof }) } });
    for (const path of ["/api/v1/servers", `${AUTH}/oauth2/userinfo`]) {
      const proof = await proofFor(key, { method: "GET", url: `${origin}${path}`, token, at: Date.now() });
      expect((await get(path, proof)).status).toBe(200);
      const again = await get(path, proof);
      expect(again.status).toBe(401);
      expect((await get(path, await proofOf(key, token))).status).toBe(401);
      expect((await get(path)).status).toBe(401);
      expect((await request(path, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401);
    }
    const refused = await get("/api/v1/servers");
    expect(refused.headers.get("www-authenticate")).toBe(`DPoP error="invalid_dpop_proof", ${ALGS}`);
  });

  it("ends with its grant", async () => {
    const key = await newProofKey();
    const { clientId, tokens } = await boundTokens(key);
    await postForm(`${AUTH}/oauth2/revoke`, { client_id: clientId, token: tokens.refresh_token });
    const answer = await callBound(tokens.access_token, await proofOf(key, tokens.access_token));
    expect(answer.status).toBe(401);
    expect(answer.error).toMatchObject({ data: { code: "invalid_credential" } });
  });

  it("is not let in while nobody can say whether its proof is new", async () => {
    const key = await newProofKey();
    const { tokens } = await boundTokens(key);
    const answer = await withFault({ upstash: { mode: "down" } }, async () =>
      callBound(tokens.access_token, await proofOf(key, tokens.access_token)),
    );
    expect(answer.status).toBe(503);
  });

  it("R9: costs one Redis request and no SQL before the answer when warm, and an unbound one no more than before", async () => {
    const key = await newProofKey();
    const { tokens } = await boundTokens(key);
    const unbound = await tokensFor(await newClient(), await newPerson());
    await callBound(tokens.access_token, await proofOf(key, tokens.access_token));
    await callTool("whoami", {}, { token: unbound.access_token });
    await backgroundSettled();
    await withFault({ neon: { mode: "down" } }, async () => {
      await resetStats();
      expect((await callBound(tokens.access_token, await proofOf(key, tokens.access_token))).status).toBe(200);
      const { log, redisRequests } = await stats();
      expect(redisRequests).toBe(1);
      expect(log.filter(({ to }) => to === "upstash").map(({ what }) => what)).toEqual([["evalsha"]]);
      await resetStats();
      expect((await callTool("whoami", {}, { token: unbound.access_token })).status).toBe(200);
      expect((await stats()).log.filter(({ to }) => to === "upstash").map(({ what }) => what)).toEqual([["evalsha"]]);
    });
  });

  it("costs no request at all when its proof is bad", async () => {
    const key = await newProofKey();
    const { tokens } = await boundTokens(key);
    await resetStats();
    expect((await callBound(tokens.access_token, await proofOf(await newProofKey(), tokens.access_token))).status).toBe(
      401,
    );
    expect(await stats()).toMatchObject({ redisRequests: 0, sqlRequests: 0 });
  });
});

describe("a proof at the token endpoint", () => {
  it.each([TOKEN, "/token", "/mcp/token"])("names %s when that was asked", async (path) => {
    const [key, clientId] = [await newProofKey(), await newClient()];
    const code = await codeFor(clientId, await newPerson());
    const elsewhere = await proofFor(key, { url: `${origin}/elsewhere`, at: Date.now() });
    const refused = await postProved(redemption(clientId, code), elsewhere, { path });
    expect(refused.status).toBe(400);
    expect(await json(refused)).toMatchObject({ error: "invalid_dpop_proof" });
    const answer = await postProved(redemption(clientId, code), key, { path });
    expect(answer.status).toBe(200);
    expect(await json(answer)).toMatchObject({ token_type: "DPoP" });
  });

  it("is good once, and a bad one uses up neither code nor refresh token", async () => {
    const [key, clientId] = [await newProofKey(), await newClient()];
    const code = await codeFor(clientId, await newPerson());
    const proof = await proofFor(key, { url: `${origin}${TOKEN}`, at: Date.now() });
    const spent = await postProved({ grant_type: "client_credentials", client_id: clientId }, proof);
    expect(spent.status).toBe(400);
    const ahead = { iat: Math.floor(Date.now() / 1000) + 20 };
    const early = await proofFor(key, { url: `${origin}${TOKEN}`, at: Date.now() }, ahead);
    for (const bad of [proof, "x", `${proof}, ${proof}`, early]) {
      const refused = await postProved(redemption(clientId, code), bad);
      expect(refused.status).toBe(400);
      expect(await json(refused)).toMatchObject({ error: "invalid_dpop_proof", error_description: expect.any(String) });
    }
    const tokens = await (await postProved(redemption(clientId, code), key)).json<Tokens>();
    expect(await json(await postProved(renewal(clientId, tokens.refresh_token), "x"))).toMatchObject({
      error: "invalid_dpop_proof",
    });
    expect((await postProved(renewal(clientId, tokens.refresh_token), key)).status).toBe(200);
  });

  it("is asked of clients that registered for it, and of codes that were asked for a key", async () => {
    const key = await newProofKey();
    const clientId = await newClient({ dpop_bound_access_tokens: true });
    const person = await newPerson();
    const without = await postForm(TOKEN, redemption(clientId, await codeFor(clientId, person)));
    expect(await json(without)).toMatchObject({ error: "invalid_dpop_proof" });
    expect((await postProved(redemption(clientId, await codeFor(clientId, person)), key)).status).toBe(200);

    const bound = { dpop_jkt: key.thumbprint };
    const plain = await newClient();
    const stolen = await postProved(redemption(plain, await codeFor(plain, person, bound)), await newProofKey());
    expect(await json(stolen)).toMatchObject({ error: "invalid_dpop_proof" });
    expect((await postProved(redemption(plain, await codeFor(plain, person, bound)), key)).status).toBe(200);
  });

  it("is remembered in Redis: while that is down there are no tokens, and the code stays good", async () => {
    const [key, clientId] = [await newProofKey(), await newClient()];
    const code = await codeFor(clientId, await newPerson());
    const answer = await withFault({ upstash: { mode: "down" } }, () => postProved(redemption(clientId, code), key));
    expect(answer.status).toBe(503);
    expect((await postProved(redemption(clientId, code), key)).status).toBe(200);
  });
});

describe("a refresh token that is bound to a key", () => {
  it("renews with a new proof of the key, and binds what follows to it", async () => {
    const key = await newProofKey();
    const { clientId, tokens } = await boundTokens(key);
    const renewed = await (await postProved(renewal(clientId, tokens.refresh_token), key)).json<Tokens>();
    expect(claimsOf(renewed.access_token)).toMatchObject({ cnf: { jkt: key.thumbprint } });
    expect((await callBound(renewed.access_token, await proofOf(key, renewed.access_token))).status).toBe(200);
    expect((await postProved(renewal(clientId, renewed.refresh_token), key)).status).toBe(200);
  });

  it("G03: gives the same answer again within 30 seconds to a new proof of the key, and to no other", async () => {
    const key = await newProofKey();
    const { clientId, tokens } = await boundTokens(key);
    const first = await (await postProved(renewal(clientId, tokens.refresh_token), key)).text();
    expect(await (await postProved(renewal(clientId, tokens.refresh_token), key)).text()).toBe(first);
    for (const other of [
      await postProved(renewal(clientId, tokens.refresh_token), await newProofKey()),
      await postForm(TOKEN, renewal(clientId, tokens.refresh_token)),
    ]) {
      expect(other.status).toBe(400);
      expect(await json(other)).toMatchObject({ error: "invalid_grant" });
    }
    const { refresh_token: successor } = JSON.parse(first) as Tokens;
    expect((await postProved(renewal(clientId, successor), key)).status).toBe(200);
  });

  it("G03: gives nothing again to the very same proof", async () => {
    const key = await newProofKey();
    const { clientId, tokens } = await boundTokens(key);
    const proof = await proofFor(key, { url: `${origin}${TOKEN}`, at: Date.now() });
    expect((await postProved(renewal(clientId, tokens.refresh_token), proof)).status).toBe(200);
    const again = await postProved(renewal(clientId, tokens.refresh_token), proof);
    expect(await json(again)).toMatchObject({ error: "invalid_dpop_proof" });
  });

  it("G03: is worth nothing to who has the token alone, who takes nothing from its owner by trying", async () => {
    const key = await newProofKey();
    const { clientId, tokens } = await boundTokens(key);
    for (const stolen of [
      await postProved(renewal(clientId, tokens.refresh_token), await newProofKey()),
      await postForm(TOKEN, renewal(clientId, tokens.refresh_token)),
    ]) {
      expect(stolen.status).toBe(400);
      expect(await json(stolen)).toMatchObject({ error: "invalid_dpop_proof" });
    }
    expect((await postProved(renewal(clientId, tokens.refresh_token), key)).status).toBe(200);
  });

  it("G05: sixteen refreshes at the same time, each with a proof of its own, make one successor", async () => {
    const key = await newProofKey();
    const { clientId, code, tokens } = await boundTokens(key);
    const answers = await Promise.all(
      Array.from({ length: 16 }, () => postProved(renewal(clientId, tokens.refresh_token), key)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1);
    const { rows } = await db.execute(sql`select 1 from oauth_refresh_token
      where authorization_code_id = ${await sha256(code)} and revoked is null`);
    expect(rows).toHaveLength(1);
  });
});

describe("what says that proofs are understood", () => {
  it("R20: the metadata of the authorization server and of the resources", async () => {
    const documents = ["oauth-authorization-server", "openid-configuration", "oauth-protected-resource/mcp/notes"];
    for (const name of documents)
      expect(await json(await request(`/.well-known/${name}`))).toMatchObject({
        dpop_signing_alg_values_supported: ["ES256", "EdDSA"],
      });
  });

  it.each([TOKEN, "/token", "/mcp"])("lets clients in a browser send one to %s", async (path) => {
    const headers = {
      origin: path === "/mcp" ? "http://localhost:6274" : "https://client.example.com",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,dpop",
    };
    const preflight = await request(path, { method: "OPTIONS", headers });
    expect(preflight.headers.get("access-control-allow-headers")).toContain("dpop");
  });

  it("binds to the address of another gateway when that is its own", async () => {
    const gateway = gatewayWith({ BASE_URL: "https://gateway.example.com" });
    const key = await newProofKey();
    const asked = { grant_type: "client_credentials", client_id: "nobody" };
    const ours = await proofFor(key, { url: `${origin}${TOKEN}`, at: Date.now() });
    expect(await json(await postProved(asked, ours, { gateway }))).toMatchObject({ error: "invalid_dpop_proof" });
    const its = await proofFor(key, { url: `https://gateway.example.com${TOKEN}`, at: Date.now() });
    expect(await json(await postProved(asked, its, { gateway }))).toMatchObject({ error: "invalid_client" });
  });
});
