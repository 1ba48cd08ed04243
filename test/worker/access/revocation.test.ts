import { describe, expect, it } from "vitest";
import { callTool, origin, request, resetStats, stats, withFault } from "../../support/gateway.ts";
import { backgroundSettled } from "../../support/worker.ts";
import {
  AUTH,
  claimsOf,
  json,
  newClient,
  newPerson,
  postForm,
  REDIRECT,
  refresh,
  register,
  tokensFor,
  type Tokens,
} from "../../support/oauth.ts";

const revoke = (clientId: string, token: string) => postForm(`${AUTH}/oauth2/revoke`, { client_id: clientId, token });

const whoami = (token: string) => callTool("whoami", {}, { token });

describe("revocation of a grant", () => {
  it("R1: a revoked refresh token takes its access tokens along: the next call is refused", async () => {
    const clientId = await newClient();
    const tokens = await tokensFor(clientId, await newPerson());
    const renewed = await (await refresh(clientId, tokens.refresh_token)).json<Tokens>();
    expect((await whoami(tokens.access_token)).status).toBe(200);
    expect((await revoke(clientId, renewed.refresh_token)).status).toBe(200);
    for (const token of [tokens.access_token, renewed.access_token]) {
      const refused = await whoami(token);
      expect(refused.status).toBe(401);
      expect(refused.error).toMatchObject({ data: { code: "invalid_credential" } });
    }
    const again = await refresh(clientId, renewed.refresh_token);
    expect(await json(again)).toMatchObject({ error: "invalid_grant" });
  });

  it("ends that grant only: the same person's other grant with the same client goes on", async () => {
    const person = await newPerson();
    const clientId = await newClient();
    const first = await tokensFor(clientId, person);
    const second = await tokensFor(clientId, person);
    await revoke(clientId, first.refresh_token);
    expect((await whoami(first.access_token)).status).toBe(401);
    expect((await whoami(second.access_token)).status).toBe(200);
    expect((await refresh(clientId, second.refresh_token)).status).toBe(200);
  });

  it("C17: is not open to another client, nor to a guess, and both are answered alike", async () => {
    const clientId = await newClient();
    const tokens = await tokensFor(clientId, await newPerson());
    const foreign = await revoke(await newClient(), tokens.refresh_token);
    const unknown = await revoke(clientId, "no-such-token");
    expect([foreign.status, unknown.status]).toEqual([200, 200]);
    expect((await whoami(tokens.access_token)).status).toBe(200);
    expect((await refresh(clientId, tokens.refresh_token)).status).toBe(200);
  });

  it("C17: another client's credentials beside the holder's client_id end nothing", async () => {
    const clientId = await newClient();
    const tokens = await tokensFor(clientId, await newPerson());
    const registered = await json(
      await register({ redirect_uris: [REDIRECT], token_endpoint_auth_method: "client_secret_basic" }),
    );
    const credentials = btoa(`${String(registered["client_id"])}:${String(registered["client_secret"])}`);
    await request(`${AUTH}/oauth2/revoke`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", authorization: `Basic ${credentials}` },
      body: new URLSearchParams({ client_id: clientId, token: tokens.refresh_token }),
    });
    expect((await whoami(tokens.access_token)).status).toBe(200);
    expect((await refresh(clientId, tokens.refresh_token)).status).toBe(200);
  });

  it("an ended grant opens no user information either", async () => {
    const clientId = await newClient();
    const tokens = await tokensFor(clientId, await newPerson(), { scope: "openid profile offline_access mcp:tools" });
    const ask = () =>
      request(`${AUTH}/oauth2/userinfo`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    expect((await ask()).status).toBe(200);
    await revoke(clientId, tokens.refresh_token);
    const refused = await ask();
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toContain("invalid_token");
  });

  it("a replayed refresh token stops the access tokens of its grant too", async () => {
    const clientId = await newClient();
    const tokens = await tokensFor(clientId, await newPerson());
    await revoke(clientId, tokens.refresh_token);
    const replay = await refresh(clientId, tokens.refresh_token);
    expect(replay.status).toBe(400);
    expect((await whoami(tokens.access_token)).status).toBe(401);
  });

  it("names the grant in the access token, the same after a refresh, and never takes it from the caller", async () => {
    const clientId = await newClient();
    const tokens = await tokensFor(clientId, await newPerson());
    const forged = await request(`${AUTH}/oauth2/token`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", "x-mrg-grant": "forged" },
      body: new URLSearchParams({
        grant_type: "refresh_token",
        client_id: clientId,
        refresh_token: tokens.refresh_token,
      }),
    });
    const renewed = await forged.json<Tokens>();
    const { grant } = claimsOf(tokens.access_token);
    expect(grant).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(claimsOf(renewed.access_token)["grant"]).toBe(grant);
  });

  it("a warm call with a token costs one Redis request and no SQL before the answer", async () => {
    const tokens = await tokensFor(await newClient(), await newPerson());
    await whoami(tokens.access_token);
    await backgroundSettled();
    await withFault({ neon: { mode: "down" } }, async () => {
      await resetStats();
      expect((await callTool("echo", { text: "x" }, { token: tokens.access_token })).status).toBe(200);
      expect((await stats()).redisRequests).toBe(1);
    });
  });

  it("is known to Postgres while Redis is down", async () => {
    const clientId = await newClient();
    const [ended, other] = [await tokensFor(clientId, await newPerson()), await tokensFor(clientId, await newPerson())];
    expect((await revoke(clientId, ended.refresh_token)).status).toBe(200);
    await withFault({ upstash: { mode: "down" } }, async () => {
      expect((await whoami(ended.access_token)).status).toBe(401);
      expect((await whoami(other.access_token)).status).toBe(200);
    });
  });

  it("fails closed with 503 while neither store can say whether a grant has ended", async () => {
    const tokens = await tokensFor(await newClient(), await newPerson());
    await withFault({ upstash: { mode: "down" }, neon: { mode: "down" } }, async () => {
      const answer = await whoami(tokens.access_token);
      expect(answer.status).toBe(503);
      expect(answer.error).toMatchObject({ data: { code: "unavailable" } });
    });
    expect((await whoami(tokens.access_token)).status).toBe(200);
  });

  it("keeps tokens of one resource to that resource", async () => {
    const tokens = await tokensFor(await newClient(), await newPerson(), { resource: `${origin}/mcp/notes` });
    expect((await whoami(tokens.access_token)).status).toBe(401);
  });
});
