import { createScheduledController } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { connectRedis, redisKeys } from "../../../src/platform/redis/redis.ts";
import { createWorker } from "../../../src/worker.ts";
import { config, db, request } from "../../support/gateway.ts";
import { AUTH, json, later, newClient, newPerson, REDIRECT, register, tokensFor } from "../../support/oauth.ts";
import { newManagedClient } from "../../support/managed-clients.ts";
import { background } from "../../support/worker.ts";

/** Far in the future, so that the counter of that day is this test's own. */
const SOME_DAY_SECONDS = 86_400 * 400;

describe("registrations by strangers", () => {
  it("D11: from one address are stopped with 429 after sixty in a minute", async () => {
    const send = () =>
      request(`${AUTH}/oauth2/register`, {
        method: "POST",
        headers: { "content-type": "application/json", "cf-connecting-ip": "198.51.100.77" },
        body: JSON.stringify({ redirect_uris: [REDIRECT] }),
      });
    const answers = await Promise.all(Array.from({ length: 65 }, send));
    const refused = answers.filter(({ status }) => status === 429);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(60);
    expect(refused).toHaveLength(5);
    expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  it("D11: are stopped for the day after five thousand from everywhere", async () => {
    await later(SOME_DAY_SECONDS, async () => {
      const key = redisKeys.registrations(Math.floor(Date.now() / 86_400_000));
      await connectRedis(config).set(key, "4999", { ex: 60 });
      expect((await register({ redirect_uris: [REDIRECT] })).status).toBe(201);
      const refused = await register({ redirect_uris: [REDIRECT] });
      expect(refused.status).toBe(429);
      expect(refused.headers.get("retry-after")).toBe("3600");
      expect(await json(refused)).toMatchObject({ error: "temporarily_unavailable" });
    });
  });

  it("D11: that nobody ever used are deleted after thirty days; others stay", async () => {
    const [unused, used, young] = [await newClient(), await newClient(), await newClient()];
    await tokensFor(used, await newPerson());
    const managed = (await newManagedClient()).clientId;
    const old = [unused, used, managed];
    await db.execute(sql`update oauth_client set created_at = now() - interval '31 days', updated_at = now() - interval '31 days'
      where client_id = any(${sql.param(old)}::text[])`);
    await createWorker(undefined, background).scheduled(createScheduledController(), env);
    const { rows } = await db.execute(sql`select client_id from oauth_client
      where client_id = any(${sql.param([...old, young])}::text[])`);
    expect(rows.map(({ client_id: id }) => String(id)).toSorted()).toEqual([used, managed, young].toSorted());
  });
});
