import { createScheduledController } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { describe, expect, it, vi } from "vitest";
import { generateApiKey } from "../../../src/keys/token.ts";
import { connectRedis, redisKeys } from "../../../src/platform/redis/redis.ts";
import { sha256 } from "../../../src/platform/crypto.ts";
import { createWorker } from "../../../src/worker.ts";
import {
  addUpstream,
  callTool,
  config,
  db,
  eventually,
  newKey,
  newUser,
  resetStats,
  rpc,
  stats,
  upstreams,
  withFault,
  auditStream,
} from "../../support/gateway.ts";
import { gatewayWith, newClient, newPerson, tokensFor } from "../../support/oauth.ts";
import { background } from "../../support/worker.ts";

const DOWN = { upstash: { mode: "down" } };
const BOTH_DOWN = { upstash: { mode: "down" }, neon: { mode: "down" } };
const MODES = ["down", "500", "reset-before", "reset-after-commit", "garbage"];
const LOCAL = "10.9.8.7";
type Made = Awaited<ReturnType<typeof newKey>>;

const echo = (key: string, headers: Record<string, string> = {}) => callTool("echo", { text: "x" }, { key, headers });
const statusOf = async (key: string, headers?: Record<string, string>) => (await echo(key, headers)).status;

/** Changes what the policy of a key says, as its owner would. */
const setPolicy = (id: string, change: ReturnType<typeof sql>) =>
  db.execute(sql`update api_key_policy set ${change} where key_id = ${id}`);

const auditRows = async (credentialId: string) =>
  (
    await db.execute<{ id: string; outcome: string; event: string }>(
      sql`select id, outcome, event from audit_log where credential_id = ${credentialId} order by at, id`,
    )
  ).rows;

const auditedOnce = (credentialId: string, count: number) =>
  eventually(async () => {
    const rows = await auditRows(credentialId);
    return rows.length >= count ? rows : undefined;
  });

const intents = async (credentialId: string) =>
  (await db.execute(sql`select 1 from audit_intent where entry->>'credential_id' = ${credentialId}`)).rows.length;

const scheduled = () => createWorker(undefined, background).scheduled(createScheduledController(), env);

describe.each(MODES)("/mcp while Redis fails with %s", (mode) => {
  it("M06: R8: R11: goes on by key and by token, and writes each call down once", async () => {
    const { key, id } = await newKey();
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    await withFault({ upstash: { mode } }, async () => {
      for (let at = 0; at < 3; at++) expect(await statusOf(key)).toBe(200);
      expect((await callTool("whoami", {}, { token })).status).toBe(200);
      expect((await rpc("tools/list", {}, { key })).status).toBe(200);
    });
    const rows = await auditedOnce(id, 3);
    expect(rows.map(({ outcome }) => outcome)).toEqual(["ok", "ok", "ok"]);
    expect(await intents(id)).toBe(0);
  });
});

describe("/mcp while Redis is down", () => {
  it("R9: J07: asks Postgres about each key: what is revoked, expired, locked or banned stays out", async () => {
    const keys = await Promise.all(Array.from({ length: 5 }, () => newKey()));
    const [good, disabled, expired, locked, banned] = keys as [Made, Made, Made, Made, Made];
    for (const { key } of keys) expect(await statusOf(key)).toBe(200);
    await withFault(DOWN, async () => {
      await db.execute(sql`update apikey set enabled = false where id = ${disabled.id}`);
      await db.execute(sql`update apikey set expires_at = now() at time zone 'utc' where id = ${expired.id}`);
      await setPolicy(locked.id, sql`disabled_until = now() + interval '1 hour'`);
      await db.execute(sql`update "user" set banned = true where id = ${banned.userId}`);
      expect(await statusOf(good.key)).toBe(200);
      for (const { key } of [disabled, expired, locked, banned]) expect(await statusOf(key)).toBe(401);
      expect(await statusOf(generateApiKey())).toBe(401);
    });
  });

  it("R15: holds keys to their addresses, scopes and tools", async () => {
    const [{ key, id }, reader] = [await newKey(), await newKey({ scopes: ["audit:read"] })];
    await setPolicy(id, sql`addresses = array['203.0.113.0/24'], tools = array['echo']`);
    await withFault(DOWN, async () => {
      expect(await statusOf(key, { "cf-connecting-ip": "203.0.113.9" })).toBe(200);
      expect(await statusOf(key, { "cf-connecting-ip": LOCAL })).toBe(403);
      expect(await statusOf(reader.key)).toBe(403);
      const other = await callTool("whoami", {}, { key, headers: { "cf-connecting-ip": "203.0.113.9" } });
      expect(other.error).toMatchObject({ data: { code: "unknown_tool" } });
    });
  });

  it("M06: R10: lets an eighth of each limit through in this isolate, and says when to come back", async () => {
    const { key, id } = await newKey();
    await setPolicy(id, sql`per_minute = 8, burst = 24`);
    await withFault(DOWN, async () => {
      for (let at = 0; at < 3; at++) expect(await statusOf(key)).toBe(200);
      const refused = await echo(key);
      expect(refused.status).toBe(429);
      expect(refused.error).toMatchObject({
        data: { code: "rate_limited", tier: "credential", retryAfterSeconds: 60 },
      });
      expect(refused.response.headers.get("retry-after")).toBe("60");
    });
  });

  it("M06: counts a quota in Postgres, exactly, and Redis takes that over when it is back", async () => {
    const { key, id } = await newKey();
    await setPolicy(id, sql`quota_max = 6, quota_period = 'total'`);
    expect(await statusOf(key)).toBe(200);
    await eventually(async () => {
      const { rows } = await db.execute(sql`select 1 from quota_use where chain_id = ${id} and used = 1`);
      return rows.length === 1 ? true : undefined;
    });
    await withFault(DOWN, async () => {
      const answers = await Promise.all(Array.from({ length: 12 }, () => echo(key)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
      for (const { error } of answers.filter(({ status }) => status !== 200))
        expect(error).toMatchObject({ data: { code: "quota_exceeded" } });
    });
    await connectRedis(config).del(redisKeys.keyRecord(await sha256(key)));
    expect(await statusOf(key)).toBe(429);
  });

  it("M06: asks it no more after five faults, until a probe is answered", async () => {
    const { key } = await newKey();
    await withFault(DOWN, async () => {
      for (let at = 0; at < 3; at++) expect(await statusOf(key)).toBe(200);
      await resetStats();
      for (let at = 0; at < 3; at++) expect(await statusOf(key)).toBe(200);
      expect((await stats()).redisRequests).toBe(0);
    });
    await resetStats();
    expect(await statusOf(key)).toBe(200);
    expect((await stats()).redisRequests).toBeGreaterThan(0);
  });

  it("M06: is not held up by a Redis that is slow", async () => {
    const { key } = await newKey();
    const gateway = gatewayWith({ REDIS_TIMEOUT_MS: "300" });
    const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "echo", arguments: { text: "x" } } };
    const headers = { "content-type": "application/json", accept: "application/json", "x-api-key": key };
    await withFault({ upstash: { latencyMs: 5_000 } }, async () => {
      const answer = await gateway("/mcp", { method: "POST", headers, body: JSON.stringify(call) });
      // Who waited for Redis would know how the limits stand.
      expect([answer.status, answer.headers.has("ratelimit")]).toEqual([200, false]);
    });
  });
});

describe("/mcp while Postgres is down", () => {
  it("goes on for credentials that Redis knows, and writes the calls down later", async () => {
    const { key, id, userId } = await newKey();
    expect(await statusOf(key)).toBe(200);
    await auditedOnce(id, 1);
    await withFault({ neon: { mode: "down" } }, async () => {
      for (let at = 0; at < 3; at++) expect(await statusOf(key)).toBe(200);
      await eventually(async () => {
        const outcomes = (await auditStream(userId)).filter(
          ({ kind, row }) => kind === "o" && row["credential_id"] === id,
        );
        return outcomes.length === 3 ? true : undefined;
      });
    });
    expect(await auditRows(id)).toHaveLength(1);
    await scheduled();
    const rows = await auditedOnce(id, 4);
    expect(rows.map(({ outcome }) => outcome)).toEqual(["ok", "ok", "ok", "ok"]);
    await scheduled();
    expect(await auditRows(id)).toHaveLength(4);
  });

  it("is closed to credentials that nobody knows any more", async () => {
    const { key } = await newKey();
    expect(await statusOf(key)).toBe(200);
    await connectRedis(config).del(redisKeys.keyRecord(await sha256(key)));
    await withFault({ neon: { mode: "down" } }, async () => {
      expect(await statusOf(key)).toBe(503);
      expect(await statusOf(generateApiKey())).toBe(503);
    });
    expect(await statusOf(key)).toBe(200);
  });
});

describe("/mcp while both stores are down", () => {
  it("answers built-in tools that only tell, for who was known half a minute ago, and nothing else", async () => {
    const { id: userId, tenantId } = await newUser();
    await addUpstream(tenantId, "notes", upstreams.notes);
    const [{ key }, stranger] = [await newKey({ userId }), await newKey()];
    expect(await statusOf(key)).toBe(200);
    expect((await callTool("notes__list_notes", {}, { key })).status).toBe(200);
    await withFault(BOTH_DOWN, async () => {
      expect(await statusOf(key)).toBe(200);
      expect(await statusOf(stranger.key)).toBe(503);
      expect((await callTool("notes__list_notes", {}, { key })).status).toBe(503);
      expect((await rpc("tools/list", {}, { key })).status).toBe(503);
    });
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 31_000 });
    try {
      await withFault(BOTH_DOWN, async () => expect(await statusOf(key)).toBe(503));
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("/mcp after Redis has lost everything", () => {
  it("R9: reads Postgres again: what was revoked stays revoked, limits begin anew", async () => {
    const [{ key, id }, revoked] = [await newKey(), await newKey()];
    await setPolicy(id, sql`per_minute = 1, burst = 2`);
    for (const status of [200, 200, 429]) expect(await statusOf(key)).toBe(status);
    expect(await statusOf(revoked.key)).toBe(200);
    await db.execute(sql`update apikey set enabled = false where id = ${revoked.id}`);
    const redis = connectRedis(config);
    const lost = await redis.keys("mrg1:*");
    await redis.del(...lost.filter((name) => /^mrg1:(key|epoch|bucket|quota|verdict|grant)/.test(name)));
    for (const status of [200, 200, 429]) expect(await statusOf(key)).toBe(status);
    expect(await statusOf(revoked.key)).toBe(401);
  });
});
