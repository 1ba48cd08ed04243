import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { generateApiKey } from "../../../src/keys/token.ts";
import {
  callTool,
  db,
  eventually,
  newKey,
  resetStats,
  rpc,
  stats,
  withFault,
  type Stats,
} from "../../support/gateway.ts";
import { backgroundSettled } from "../../support/worker.ts";
import { newClient, newPerson, tokensFor } from "../../support/oauth.ts";

const redisRequests = ({ log }: Stats) => log.filter(({ to }) => to === "upstash").map(({ what }) => what);
const selects = ({ log }: Stats) =>
  log
    .filter(({ to }) => to === "neon")
    .flatMap(({ what }) => what)
    .filter((what) => what.startsWith("select"));

/** What is sent while Postgres is down cannot have waited for it. */
const withoutPostgres = (work: () => Promise<void>) => withFault({ neon: { mode: "down" } }, work);

describe("round trips before the answer", () => {
  it("R9: a warm call with a key is one Redis request and no SQL", async () => {
    const { key } = await newKey();
    await callTool("echo", { text: "warm" }, { key });
    await backgroundSettled();
    await withoutPostgres(async () => {
      await resetStats();
      const answer = await callTool("echo", { text: "x" }, { key });
      expect(answer.result?.structuredContent).toEqual({ text: "x" });
      expect(redisRequests(await stats())).toEqual([["evalsha"]]);
    });
  });

  it("R8: a warm call with a token is one Redis request and no SQL", async () => {
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    await callTool("echo", { text: "warm" }, { token });
    await backgroundSettled();
    await withoutPostgres(async () => {
      await resetStats();
      expect((await callTool("echo", { text: "x" }, { token })).status).toBe(200);
      expect(redisRequests(await stats())).toEqual([["evalsha"]]);
    });
  });

  it("R10: a list is counted like a call: one Redis request", async () => {
    const { key } = await newKey();
    await callTool("echo", { text: "warm" }, { key });
    await resetStats();
    expect((await rpc("prompts/list", {}, { key })).status).toBeLessThan(500);
    expect(redisRequests(await stats())).toEqual([["evalsha"]]);
  });

  it("R9: the first call with a key anywhere costs one statement and one Redis request more", async () => {
    const { key } = await newKey();
    await resetStats();
    expect((await callTool("echo", { text: "cold" }, { key })).status).toBe(200);
    const counted = await stats();
    expect(selects(counted)).toEqual(["select apikey"]);
    expect(redisRequests(counted)).toHaveLength(2);
  });

  it("R8: the first call with a token anywhere costs one statement and one Redis request more", async () => {
    const { access_token: token } = await tokensFor(await newClient(), await newPerson());
    await resetStats();
    expect((await callTool("echo", { text: "cold" }, { token })).status).toBe(200);
    const counted = await stats();
    expect(selects(counted)).toHaveLength(1);
    expect(redisRequests(counted)).toHaveLength(2);
  });

  it("J05: a key with a wrong checksum costs nothing", async () => {
    await resetStats();
    const key = `${generateApiKey().slice(0, -1)}!`;
    expect((await callTool("echo", { text: "x" }, { key })).status).toBe(401);
    expect(await stats()).toMatchObject({ redisRequests: 0, sqlRequests: 0 });
  });

  it("R4: an unknown key costs one statement once, and then one Redis request each time", async () => {
    const key = generateApiKey();
    expect((await callTool("echo", { text: "x" }, { key })).status).toBe(401);
    await backgroundSettled();
    await withoutPostgres(async () => {
      await resetStats();
      expect((await callTool("echo", { text: "x" }, { key })).status).toBe(401);
      expect(await stats()).toMatchObject({ redisRequests: 1, sqlRequests: 0 });
    });
  });

  it("a Redis request whose answer is lost is asked once more, as the same event: it counts once", async () => {
    const { key } = await newKey();
    const before = await callTool("echo", { text: "warm" }, { key });
    await backgroundSettled();
    await withFault({ upstash: { mode: "reset-after-commit", nth: 1 } }, async () => {
      await resetStats();
      const answer = await callTool("echo", { text: "x" }, { key });
      expect(answer.status).toBe(200);
      expect((await stats()).redisRequests).toBe(2);
      const left = (response: Response) =>
        Number(/"tenant";r=(\d+)/.exec(response.headers.get("ratelimit") ?? "")?.[1]);
      expect(left(before.response) - left(answer.response)).toBeLessThanOrEqual(1);
    });
  });
});

describe("round trips after the answer", () => {
  it("R11: fifty calls within a second are written down by at most ten Redis and five SQL requests", async () => {
    const { key, id } = await newKey();
    const rows = async () => {
      const { rows: found } = await db.execute<{ n: number }>(
        sql`select count(*)::int as n from audit_log where credential_id = ${id}`,
      );
      return found[0]?.n ?? 0;
    };
    await callTool("echo", { text: "warm" }, { key });
    await resetStats();
    for (let at = 0; at < 50; at++) expect((await callTool("echo", { text: "x" }, { key })).status).toBe(200);
    await eventually(async () => ((await rows()) === 51 ? true : undefined));
    const counted = await stats();
    expect(counted.redisRequests - 50).toBeLessThanOrEqual(10);
    const ownQuestions = counted.log.filter(({ what }) => what.join() === "select audit_log").length;
    expect(ownQuestions).toBeGreaterThan(0);
    expect(counted.sqlRequests - ownQuestions).toBeLessThanOrEqual(5);
  });
});
