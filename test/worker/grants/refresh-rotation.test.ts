import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../../src/platform/crypto.ts";
import { callTool, db, origin, resetStats, stats, withFault } from "../../support/gateway.ts";
import { json, newClient, newPerson, refresh, tokensFor, type Tokens } from "../../support/oauth.ts";

async function newGrant(): Promise<{ clientId: string; tokens: Tokens }> {
  const clientId = await newClient();
  return { clientId, tokens: await tokensFor(clientId, await newPerson()) };
}

/** Moves a lock into the past, as if the seconds had gone by. */
async function age(token: string, seconds: number): Promise<void> {
  await db.execute(sql`update refresh_lock set locked_at = locked_at - make_interval(secs => ${seconds}),
    answered_at = answered_at - make_interval(secs => ${seconds}) where token_hash = ${await sha256(token)}`);
}

async function liveTokensOf(token: string): Promise<number> {
  const { rows } = await db.execute<{ live: string }>(sql`select count(*) as live from oauth_refresh_token
    where revoked is null and authorization_code_id =
      (select authorization_code_id from oauth_refresh_token where token = ${await sha256(token)})`);
  return Number(rows[0]?.live);
}

async function rotated(clientId: string, token: string): Promise<string> {
  const answer = await refresh(clientId, token);
  expect(answer.status).toBe(200);
  return String((await json(answer))["refresh_token"]);
}

describe("refresh token rotation", () => {
  it("R1: gives a new refresh token and an access token for the same resource, scopes and tenant", async () => {
    const { clientId, tokens } = await newGrant();
    const answer = await refresh(clientId, tokens.refresh_token);
    expect(answer.headers.get("cache-control")).toContain("no-store");
    const body = await answer.json<Tokens>();
    expect(body.refresh_token).not.toBe(tokens.refresh_token);
    const { result } = await callTool("whoami", {}, { token: body.access_token });
    expect(result?.structuredContent).toMatchObject({ credential: "access_token", clientId });
  });

  it("asked for fewer scopes each time narrows the access token only: the fifth refresh works, and one without scopes has all", async () => {
    const { clientId, tokens } = await newGrant();
    let token = tokens.refresh_token;
    for (let n = 0; n < 5; n++) {
      const body = await (await refresh(clientId, token, { scope: "mcp:tools" })).json<Tokens & { scope: string }>();
      expect(body.scope).toBe("mcp:tools");
      token = body.refresh_token;
    }
    const body = await (await refresh(clientId, token)).json<Tokens & { scope: string }>();
    expect(body.scope.split(" ").toSorted()).toEqual(["mcp:tools", "offline_access", "openid"]);
    const more = await refresh(clientId, body.refresh_token, { scope: "mcp:tools audit:read" });
    expect(await json(more)).toMatchObject({ error: "invalid_scope" });
    expect((await refresh(clientId, body.refresh_token)).status).toBe(200);
  });

  it("asked for one resource of its grant keeps the others", async () => {
    const [clientId, person] = [await newClient(), await newPerson()];
    const both = [`${origin}/mcp`, `${origin}/mcp/notes`];
    const tokens = await tokensFor(clientId, person, { resource: both });
    const [narrow, wide] = [{ resource: both[0] ?? "" }, { resource: both[1] ?? "" }];
    const first = await (await refresh(clientId, tokens.refresh_token, narrow)).json<Tokens>();
    expect((await refresh(clientId, first.refresh_token, wide)).status).toBe(200);
  });

  it("G05: sixteen concurrent refreshes make one successor and get one answer, in each of fifty rounds", async () => {
    const { clientId, tokens } = await newGrant();
    let token = tokens.refresh_token;
    for (let round = 0; round < 50; round++) {
      const presented = token;
      const answers = await Promise.all(Array.from({ length: 16 }, () => refresh(clientId, presented)));
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 16 }, () => 200));
      const bodies = new Set(await Promise.all(answers.map((answer) => answer.text())));
      expect(bodies.size).toBe(1);
      expect(await liveTokensOf(presented)).toBe(1);
      token = (JSON.parse([...bodies][0] ?? "") as Tokens).refresh_token;
    }
  });

  it("G03: the same request within 30 seconds gets the identical answer and no second successor", async () => {
    const { clientId, tokens } = await newGrant();
    const first = await (await refresh(clientId, tokens.refresh_token)).text();
    await age(tokens.refresh_token, 25);
    expect(await (await refresh(clientId, tokens.refresh_token)).text()).toBe(first);
    expect(await liveTokensOf(tokens.refresh_token)).toBe(1);
  });

  it.each([
    ["other scopes", { scope: "mcp:tools" }],
    ["another resource", { resource: "http://localhost:8787/mcp/notes" }],
    ["another client's secret", { client_secret: "x" }],
  ])("G03: within 30 seconds a request with %s gets no kept answer, and the grant lives on", async (_what, changed) => {
    const { clientId, tokens } = await newGrant();
    const successor = await rotated(clientId, tokens.refresh_token);
    const other = await refresh(clientId, tokens.refresh_token, changed);
    expect(other.status).toBe(400);
    expect(await json(other)).toMatchObject({ error: "invalid_grant" });
    await rotated(clientId, successor);
  });

  it("G04: a token that comes back after 30 seconds ends its grant, and no other of that user and client", async () => {
    const person = await newPerson();
    const clientId = await newClient();
    const stolen = await tokensFor(clientId, person);
    const elsewhere = await tokensFor(clientId, person);
    const successor = await rotated(clientId, stolen.refresh_token);
    await age(stolen.refresh_token, 31);
    const replay = await refresh(clientId, stolen.refresh_token);
    expect(replay.status).toBe(400);
    expect(await json(replay)).toMatchObject({ error: "invalid_grant" });
    const afterwards = await refresh(clientId, successor);
    expect(afterwards.status).toBe(400);
    await rotated(clientId, elsewhere.refresh_token);
  });

  it("G01: another client gets nothing, and the owner is not affected", async () => {
    const { clientId, tokens } = await newGrant();
    const other = await refresh(await newClient(), tokens.refresh_token);
    expect(other.status).toBe(400);
    expect(await json(other)).toMatchObject({ error: "invalid_grant" });
    await rotated(clientId, tokens.refresh_token);
  });

  it("a refused request leaves the token as good as it was", async () => {
    const { clientId, tokens } = await newGrant();
    const wider = await refresh(clientId, tokens.refresh_token, { scope: "mcp:tools admin" });
    expect(wider.status).toBe(400);
    await rotated(clientId, tokens.refresh_token);
  });

  it("G07: a lock whose holder died expires after five seconds, and what it half did is undone", async () => {
    const { clientId, tokens } = await newGrant();
    const token = tokens.refresh_token;
    const orphan = await rotated(clientId, token);
    // As if the isolate had died after the rotation and before keeping the answer.
    await db.execute(
      sql`update refresh_lock set answer = null, answered_at = null where token_hash = ${await sha256(token)}`,
    );
    await age(token, 6);
    await rotated(clientId, token);
    expect(await liveTokensOf(token)).toBe(1);
    const lost = await refresh(clientId, orphan);
    expect(lost.status).toBe(400);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "Postgres failing at request %i of a refresh is a 503 and never ends the grant: the client tries again and goes on",
    async (nth) => {
      const { clientId, tokens } = await newGrant();
      const answer = await withFault({ neon: { mode: "reset-after-commit", nth } }, () =>
        refresh(clientId, tokens.refresh_token),
      );
      if (answer.status !== 200) {
        expect(answer.status).toBe(503);
        expect(answer.headers.get("retry-after")).not.toBeNull();
        expect(await json(answer)).toMatchObject({ error: "temporarily_unavailable" });
        await age(tokens.refresh_token, 6);
        await rotated(clientId, tokens.refresh_token);
      }
      expect(await liveTokensOf(tokens.refresh_token)).toBe(1);
    },
  );

  it("keeps no token in a form that the database gives away", async () => {
    const { clientId, tokens } = await newGrant();
    const successor = await rotated(clientId, tokens.refresh_token);
    const { rows } = await db.execute(
      sql`select * from refresh_lock where token_hash = ${await sha256(tokens.refresh_token)}`,
    );
    expect(JSON.stringify(rows)).not.toContain(successor);
    expect(JSON.stringify(rows)).not.toContain(tokens.refresh_token);
  });

  it("costs a counted number of round trips", async () => {
    const { clientId, tokens } = await newGrant();
    await resetStats();
    await rotated(clientId, tokens.refresh_token);
    const { sqlRequests, redisRequests } = await stats();
    expect({ sqlRequests, redisRequests }).toEqual({ sqlRequests: 5, redisRequests: 1 });
  });
});
