import { createScheduledController } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { createWorker } from "../../../src/worker.ts";
import { formBrowser, newAddress } from "../../support/browsing.ts";
import { browserOf } from "../../support/dashboard.ts";
import { ageRedemption, askToStart, decide, DEVICE_GRANT, newDeviceClient } from "../../support/device.ts";
import { poll, pollError, start, waitInterval } from "../../support/device.ts";
import { callTool, db, origin, request, resetStats, stats, withFault } from "../../support/gateway.ts";
import { AUTH, claimsOf, gatewayWith, json, later, newClient, newPerson, postForm } from "../../support/oauth.ts";
import { refresh, register, type Tokens } from "../../support/oauth.ts";
import { background } from "../../support/worker.ts";
import { setRole } from "../../support/managed-clients.ts";

const whoami = (token: string) => callTool("whoami", {}, { token });

/** A device that somebody has approved. */
async function approved(parameters = {}) {
  const [clientId, person] = [await newDeviceClient(), await newPerson()];
  const started = await start(clientId, parameters);
  await decide(started.user_code, person);
  return { clientId, person, code: started.device_code };
}

/** A device that has its tokens. */
async function connected(parameters = {}) {
  const device = await approved(parameters);
  const tokens = await (await poll(device.clientId, device.code)).json<Tokens>();
  return { ...device, tokens };
}

describe("device authorization (RFC 8628)", () => {
  it("R20: is announced where clients look for it", async () => {
    for (const name of ["oauth-authorization-server", "openid-configuration"]) {
      const document = await json(await request(`/.well-known/${name}`));
      expect(document).toMatchObject({ device_authorization_endpoint: `${origin}${AUTH}/device/code` });
      expect(document["grant_types_supported"]).toContain(DEVICE_GRANT);
    }
  });

  it("gives a device a code for itself and one for the person, and where to enter it", async () => {
    const answer = await askToStart(await newDeviceClient());
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toContain("no-store");
    const body = await json(answer);
    expect(body).toEqual({
      device_code: expect.stringMatching(/^[A-Za-z0-9]{40}$/),
      user_code: expect.stringMatching(/^[B-Z]{4}-[B-Z]{4}$/),
      verification_uri: `${origin}/device`,
      verification_uri_complete: `${origin}/device?user_code=${String(body["user_code"])}`,
      expires_in: 900,
      interval: 5,
    });
  });

  it("R22: ends with a token for /mcp that acts for who approved, in their tenant", async () => {
    const { clientId, person, tokens } = await connected();
    expect(tokens).toMatchObject({ token_type: "Bearer", expires_in: 900, scope: "mcp:tools offline_access" });
    expect(claimsOf(tokens.access_token)).toMatchObject({
      aud: `${origin}/mcp`,
      sub: person.id,
      tenant: person.tenantId,
      client_id: clientId,
      grant: expect.stringMatching(/^[\w-]{43}$/),
    });
    const { result } = await whoami(tokens.access_token);
    expect(result?.structuredContent).toMatchObject({ userId: person.id, tenantId: person.tenantId, clientId });
  });

  it("gives what was asked for and no more: scopes, resource, an identity", async () => {
    const asked = { scope: "openid mcp:tools mcp:tools", resource: `${origin}/mcp/notes/` };
    const clientId = await newDeviceClient({ grant_types: [DEVICE_GRANT] });
    const { device_code: code, user_code: userCode } = await start(clientId, asked);
    await decide(userCode, await newPerson());
    const tokens = await (await poll(clientId, code)).json<Tokens>();
    expect(tokens).toMatchObject({ scope: "openid mcp:tools", id_token: expect.any(String) });
    expect(tokens).not.toHaveProperty("refresh_token");
    expect(claimsOf(tokens.access_token)["aud"]).toContain(`${origin}/mcp/notes`);
    expect((await whoami(tokens.access_token)).status).toBe(401);
  });

  it("lets a client that registered for refresh tokens stay connected, whatever it asks for", async () => {
    const { tokens } = await connected({ scope: "mcp:tools" });
    expect(tokens).toMatchObject({ scope: "mcp:tools offline_access", refresh_token: expect.any(String) });
  });

  it("keeps no device code in a form that the database gives away", async () => {
    const { device_code: code, user_code: userCode } = await start(await newDeviceClient());
    const { rows } = await db.execute(sql`select * from device_code where user_code = ${userCode}`);
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain(code);
  });

  it("cannot be begun in the name of somebody, nor by what only sessions may do", async () => {
    const person = await newPerson();
    const { user_code: userCode } = await start(await newDeviceClient(), { user_id: person.id });
    const { rows } = await db.execute(sql`select user_id from device_code where user_code = ${userCode}`);
    expect(rows).toEqual([{ user_id: null }]);
    const browser = await browserOf(person);
    expect((await browser.send(`${AUTH}/device?user_code=${userCode}`)).status).toBe(404);
    for (const path of ["approve", "deny", "token", "waiting", "decide"]) {
      const body = JSON.stringify({ userCode, accept: true, tenantId: person.tenantId });
      const headers = { "content-type": "application/json", origin };
      expect((await browser.send(`${AUTH}/device/${path}`, { method: "POST", headers, body })).status).toBe(404);
    }
  });

  it.each([
    ["no client", {}, "invalid_request"],
    ["an unknown client", { client_id: "nobody" }, "invalid_client"],
    ["unknown scopes only", { scope: "everything" }, "invalid_scope"],
    ["a resource elsewhere", { resource: "https://evil.example.com/mcp" }, "invalid_target"],
    ["two resources", { resource: [`${origin}/mcp`, `${origin}/mcp/notes`] }, "invalid_target"],
    ["the client twice", { client_id: ["a", "b"] }, "invalid_request"],
    ["a secret that it has not", { client_secret: "x" }, "invalid_client"],
  ])("refuses a device that names %s", async (what, changed, error) => {
    const clientId = what === "no client" ? undefined : await newDeviceClient();
    const answer = await postForm(`${AUTH}/device/code`, { client_id: clientId, ...changed });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(await json(answer)).toMatchObject({ error, error_description: expect.any(String) });
  });

  it("C14: is for clients that registered for it", async () => {
    const clientId = await newClient();
    expect(await json(await askToStart(clientId))).toMatchObject({ error: "unauthorized_client" });
    const { device_code: code } = await start(await newDeviceClient());
    expect(await pollError(clientId, code)).toEqual({ status: 400, error: "invalid_grant" });
  });

  it("R04: makes only so many codes for one address, and forgets them a day after they have expired", async () => {
    const clientId = await newDeviceClient();
    const from = { "content-type": "application/x-www-form-urlencoded", "cf-connecting-ip": newAddress() };
    const statuses: number[] = [];
    for (let i = 0; i < 63; i++) {
      const init = { method: "POST", headers: from, body: `client_id=${clientId}` };
      statuses.push((await request(`${AUTH}/device/code`, init)).status);
    }
    expect(statuses).toEqual([...Array.from({ length: 60 }, () => 200), 429, 429, 429]);
    const left = async () =>
      (await db.execute(sql`select 1 from device_code where oauth_client_id = ${clientId}`)).rows.length;
    const expire = (hours: number) =>
      db.execute(sql`update device_code set expires_at = now() at time zone 'utc' - make_interval(hours => ${hours})
        where oauth_client_id = ${clientId}`);
    await expire(23);
    await createWorker(undefined, background).scheduled(createScheduledController(), env);
    expect(await left()).toBe(60);
    await expire(25);
    await createWorker(undefined, background).scheduled(createScheduledController(), env);
    expect(await left()).toBe(0);
  });

  it("R21: registers a client for devices without a redirect URI, and for codes too with one", async () => {
    const alone = await register({ client_name: "TV", grant_types: [DEVICE_GRANT, "refresh_token"] });
    expect(alone.status).toBe(201);
    expect(await json(alone)).toMatchObject({ grant_types: [DEVICE_GRANT, "refresh_token"], redirect_uris: [] });
    await start(await newClient({ grant_types: ["authorization_code", DEVICE_GRANT] }));
    const hosts = gatewayWith({ CLIENT_REGISTRATION: "hosts:client.example.com" });
    expect((await register({ grant_types: [DEVICE_GRANT] }, hosts)).status).toBe(400);
  });
});

describe("a device that polls (RFC 8628 §3.5)", () => {
  it("is told to wait, and to slow down when it does not keep the interval", async () => {
    const clientId = await newDeviceClient();
    const { device_code: code } = await start(clientId);
    expect(await pollError(clientId, code)).toEqual({ status: 400, error: "authorization_pending" });
    expect(await pollError(clientId, code)).toEqual({ status: 400, error: "slow_down" });
    await later(6, async () => {
      expect(await pollError(clientId, code)).toEqual({ status: 400, error: "authorization_pending" });
    });
  });

  it("is told that its code has expired after fifteen minutes, approved or not", async () => {
    const clientId = await newDeviceClient();
    const { device_code: code } = await start(clientId);
    await later(899, async () => {
      expect(await pollError(clientId, code)).toMatchObject({ error: "authorization_pending" });
    });
    await waitInterval(code);
    await later(901, async () => {
      expect(await pollError(clientId, code)).toEqual({ status: 400, error: "expired_token" });
    });
    const other = await approved();
    await later(901, async () => {
      expect(await pollError(other.clientId, other.code)).toMatchObject({ error: "expired_token" });
    });
  });

  it("is told that the person has said no", async () => {
    const clientId = await newDeviceClient();
    const { device_code: code, user_code: userCode } = await start(clientId);
    await decide(userCode, await newPerson(), "deny");
    expect(await pollError(clientId, code)).toEqual({ status: 400, error: "access_denied" });
    expect(await pollError(clientId, code)).toEqual({ status: 400, error: "invalid_grant" });
  });

  it.each([
    ["an invented code", { device_code: "x".repeat(40) }, "invalid_grant"],
    ["no code", { device_code: undefined }, "invalid_request"],
    ["an empty code", { device_code: "" }, "invalid_request"],
    ["a long code", { device_code: "x".repeat(5_000) }, "invalid_grant"],
    ["another resource", { resource: `${origin}/mcp/notes` }, "invalid_target"],
    ["an unknown client", { client_id: "nobody" }, "invalid_client"],
  ])("is refused with %s, and the code stays as good as it was", async (_what, changed, error) => {
    const { clientId, code } = await approved();
    expect(await pollError(clientId, code, changed)).toMatchObject({ error });
    await waitInterval(code);
    expect((await poll(clientId, code)).status).toBe(200);
  });

  it("C08: gets nothing with the code of another device's client, which is not affected", async () => {
    const { clientId, code } = await approved();
    expect(await pollError(await newDeviceClient(), code)).toEqual({ status: 400, error: "invalid_grant" });
    const answer = await poll(clientId, code);
    expect(answer.status).toBe(200);
    expect((await whoami((await answer.json<Tokens>()).access_token)).status).toBe(200);
  });

  it("costs a counted number of round trips", async () => {
    const { clientId, code } = await approved();
    await resetStats();
    await poll(clientId, code);
    const { log } = await stats();
    expect(log.filter(({ to }) => to === "neon").map(({ what }) => what.join())).toEqual([
      "select device_code",
      "update device_code",
      "update device_code",
      expect.stringContaining("oauth_access_token"),
      "insert oauth_refresh_token",
    ]);
    expect(log.filter(({ to }) => to === "upstash")).toHaveLength(1);
  });
});

describe("the tokens of a device", () => {
  it("C12: are given once to eight polls at the same time, and work, in each of twenty rounds", async () => {
    const clientId = await newDeviceClient();
    for (let round = 0; round < 20; round++) {
      const { device_code: code, user_code: userCode } = await start(clientId);
      await decide(userCode, await newPerson());
      const answers = await Promise.all(Array.from({ length: 8 }, () => poll(clientId, code)));
      const bodies = await Promise.all(answers.map(json));
      const winners = bodies.filter((body) => typeof body["access_token"] === "string");
      expect(winners).toHaveLength(1);
      for (const { error } of bodies.filter((body) => !winners.includes(body)))
        expect(["slow_down", "invalid_grant"]).toContain(error);
      expect((await whoami(String(winners[0]?.["access_token"]))).status).toBe(200);
      expect((await refresh(clientId, String(winners[0]?.["refresh_token"]))).status).toBe(200);
    }
  });

  it("C10: end when the code comes back after the redemption is over, and not while it is going on", async () => {
    const { clientId, code, tokens } = await connected();
    expect(await pollError(clientId, code)).toEqual({ status: 400, error: "invalid_grant" });
    expect((await whoami(tokens.access_token)).status).toBe(200);
    await ageRedemption(code, 11);
    expect(await pollError(clientId, code)).toEqual({ status: 400, error: "invalid_grant" });
    expect((await whoami(tokens.access_token)).status).toBe(401);
    expect((await refresh(clientId, tokens.refresh_token)).status).toBe(400);
  });

  it("C10: end at a replay also once the code itself is forgotten", async () => {
    const { clientId, code, tokens } = await connected();
    await db.execute(sql`delete from device_code where oauth_client_id = ${clientId}`);
    expect(await pollError(clientId, code)).toMatchObject({ error: "invalid_grant" });
    expect((await whoami(tokens.access_token)).status).toBe(401);
  });

  it("R1: renew under the same grant and tenant, once each", async () => {
    const { clientId, person, tokens } = await connected();
    const renewed = await (await refresh(clientId, tokens.refresh_token)).json<Tokens>();
    const [before, after] = [claimsOf(tokens.access_token), claimsOf(renewed.access_token)];
    expect(after).toMatchObject({ grant: before["grant"], tenant: person.tenantId, aud: before["aud"] });
    expect((await whoami(renewed.access_token)).status).toBe(200);
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(clientId, renewed.refresh_token)));
    expect(new Set(await Promise.all(answers.map((answer) => answer.text()))).size).toBe(1);
  });

  it("C17: end with the grant when a refresh token is revoked", async () => {
    const { clientId, tokens } = await connected();
    const revoked = await postForm(`${AUTH}/oauth2/revoke`, { client_id: clientId, token: tokens.refresh_token });
    expect(revoked.status).toBe(200);
    expect((await whoami(tokens.access_token)).status).toBe(401);
    expect((await refresh(clientId, tokens.refresh_token)).status).toBe(400);
  });

  it("O04: are for people whose account is good when the device polls", async () => {
    const banned = await approved();
    await db.execute(sql`update "user" set banned = true where id = ${banned.person.id}`);
    expect(await pollError(banned.clientId, banned.code)).toEqual({ status: 400, error: "invalid_grant" });
    const gone = await approved();
    await db.execute(sql`delete from "user" where id = ${gone.person.id}`);
    expect(await pollError(gone.clientId, gone.code)).toEqual({ status: 400, error: "access_denied" });
  });

  it("hold the scope admin for administrators only who tick it; others get the rest", async () => {
    const scopesOf = async (role: "admin" | "user", fields: Record<string, string>) => {
      const [clientId, person] = [await newDeviceClient(), await newPerson()];
      const started = await start(clientId, { scope: "mcp:tools admin" });
      await decide(started.user_code, person, "approve", formBrowser(), async () => {
        await setRole(person.id, role);
        return fields;
      });
      return (await json(await poll(clientId, started.device_code)))["scope"];
    };
    expect(await scopesOf("user", { grant_admin: "yes" })).toBe("mcp:tools offline_access");
    expect(await scopesOf("admin", {})).toBe("mcp:tools offline_access");
    expect(await scopesOf("admin", { grant_admin: "yes" })).toBe("mcp:tools admin offline_access");
  });

  it.each(
    ["reset-before", "reset-after-commit", "500"].flatMap((mode) => [1, 2, 3, 4, 5].map((nth) => ({ mode, nth }))),
  )("survive Postgres failing with $mode at request $nth: the device polls on", async ({ mode, nth }) => {
    const { clientId, code } = await approved();
    const answer = await withFault({ neon: { mode, nth } }, () => poll(clientId, code));
    if (answer.status !== 200) {
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).not.toBeNull();
      expect(await json(answer)).toMatchObject({ error: "temporarily_unavailable" });
      await waitInterval(code);
    }
    const settled = answer.status === 200 ? answer : await poll(clientId, code);
    expect(settled.status).toBe(200);
    const tokens = await settled.json<Tokens>();
    expect((await whoami(tokens.access_token)).status).toBe(200);
    expect((await refresh(clientId, tokens.refresh_token)).status).toBe(200);
  });

  it("are given once while Redis is down: codes of devices are in Postgres", async () => {
    const { clientId, code } = await approved();
    const statuses = await withFault({ upstash: { mode: "down" } }, async () => [
      (await poll(clientId, code)).status,
      (await poll(clientId, code)).status,
    ]);
    expect(statuses).toEqual([200, 400]);
  });
});
