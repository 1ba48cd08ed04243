import { sql } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import type { LimitSettings } from "../../../src/platform/limit-settings.ts";
import { redisKeys } from "../../../src/platform/redis/redis.ts";
import {
  changePolicy,
  countsOf,
  forget,
  forgetRecord,
  giveTenant,
  keyWith,
  leftOf,
  publish,
  redisText,
} from "../../support/admission.ts";
import {
  addUpstream,
  callTool,
  db,
  eventually,
  newKey,
  newUser,
  request,
  rpc,
  upstreams,
  type RpcAnswer,
} from "../../support/gateway.ts";
import { organizationOf } from "../../support/keys.ts";

const echo = (key: string) => callTool("echo", { text: "x" }, { key });

/** Nothing comes back while a test runs. */
const atMost = (burst: number) => ({ perMinute: 1, burst });

async function statusesOf(times: number, call: () => Promise<RpcAnswer>): Promise<number[]> {
  const statuses: number[] = [];
  for (let n = 0; n < times; n++) statuses.push((await call()).status);
  return statuses;
}

/** What an agent is told when a limit is reached. */
function expectLimited({ status, error, response }: RpcAnswer, tier: string, burst: number): void {
  expect(status).toBe(429);
  expect(error).toMatchObject({ code: 429, data: { code: "rate_limited", tier } });
  const seconds = Number(response.headers.get("retry-after"));
  expect(seconds).toBeGreaterThan(50);
  expect(seconds).toBeLessThanOrEqual(60);
  expect(error?.data?.["retryAfterSeconds"]).toBe(seconds);
  expect(error?.message).toContain(`Try again in ${seconds} s`);
  expect(response.headers.get("ratelimit")).toBe(`"${tier}";r=0;t=${burst * 60}`);
  expect(response.headers.get("ratelimit-policy")).toBe(`"${tier}";q=${burst};w=${burst * 60}`);
  expect(response.headers.get("cache-control")).toBe("no-store");
}

describe("limits", () => {
  it("R10: a key's own rate: so many calls at once, then an error that says which limit, and when to come back", async () => {
    const { key } = await keyWith(atMost(3));
    const answers = [await echo(key), await echo(key), await echo(key)];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers.map(({ response }) => leftOf(response, "credential"))).toEqual([2, 1, 0]);
    expect(answers[0]?.response.headers.get("ratelimit-policy")).toMatch(/^"credential";q=3;w=180, "user";/);
    const refused = await rpc("tools/call", {}, { key, body: '{"jsonrpc":"2.0","id":"seven","method":"ping"}' });
    expectLimited(refused, "credential", 3);
    expect(refused.id).toBe("seven");
  });

  it("R10: every answer says how the caller stands with each tier that counted it", async () => {
    const { key } = await newKey();
    const tiers = ({ response }: RpcAnswer) =>
      [...(response.headers.get("ratelimit") ?? "").matchAll(/"(\w+)";r=\d+;t=\d+/g)].map(([, tier]) => tier);
    expect(tiers(await echo(key))).toEqual(["credential", "user", "tenant", "tool", "gateway"]);
    expect(tiers(await rpc("tools/list", {}, { key }))).toEqual(["credential", "user", "tenant", "gateway"]);
  });

  const tiers: [tier: string, limits: LimitSettings][] = [
    ["user", { user: atMost(2) }],
    ["tenant", { tenant: atMost(2) }],
    ["tool", { tool: atMost(2) }],
    ["tool", { tools: { echo: atMost(2) } }],
    ["credential", { credential: atMost(2) }],
  ];
  it.each(tiers)("R10: the %s's limit that a tenant was given, %j, holds for its keys", async (tier, limits) => {
    const { key, userId } = await newKey();
    await giveTenant(`personal-${userId}`, limits);
    await publish();
    expect(await statusesOf(2, () => echo(key))).toEqual([200, 200]);
    expectLimited(await echo(key), tier, 2);
  });

  it("R10: the limit of one tool holds for its name on both addresses, and for no other tool", async () => {
    const { key, userId } = await newKey();
    const tenantId = `personal-${userId}`;
    await addUpstream(tenantId, "every", upstreams.everything);
    await giveTenant(tenantId, { tools: { every__add: atMost(2) } });
    await publish();
    const numbers = { a: 1, b: 2 };
    expect((await callTool("every__add", numbers, { key })).status).toBe(200);
    expect((await callTool("add", numbers, { key, path: "/mcp/every" })).status).toBe(200);
    expectLimited(await callTool("every__add", numbers, { key }), "tool", 2);
    expectLimited(await callTool("add", numbers, { key, path: "/mcp/every" }), "tool", 2);
    expect((await echo(key)).status).toBe(200);
  });

  it("R10: lists, negotiation and what is not there are counted like calls", async () => {
    const { key } = await keyWith(atMost(5));
    const hello = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } };
    const left = [
      await rpc("initialize", hello, { key }),
      await rpc("tools/list", {}, { key }),
      await rpc("ping", {}, { key }),
      await rpc("no/such/method", {}, { key }),
      await callTool("no_such_tool", {}, { key }),
    ].map(({ response }) => leftOf(response, "credential"));
    expect(left).toEqual([4, 3, 2, 1, 0]);
    expectLimited(await rpc("ping", {}, { key }), "credential", 5);
  });

  it("R10: who comes back after a refusal finds what was there: refusals take nothing", async () => {
    const subject = await keyWith({ ...atMost(1), quotaMax: 100, quotaPeriod: "total" });
    expect((await echo(subject.key)).status).toBe(200);
    const before = await countsOf(subject);
    expect(await statusesOf(5, () => echo(subject.key))).toEqual([429, 429, 429, 429, 429]);
    expect(await countsOf(subject)).toEqual(before);
  });

  it("M01: other keys of the same user meet the user's bucket", async () => {
    const { id: userId, tenantId } = await newUser();
    await giveTenant(tenantId, { user: atMost(5) });
    await publish();
    const keys = await Promise.all(Array.from({ length: 8 }, () => newKey({ userId })));
    const answers = await Promise.all(keys.map(({ key }) => echo(key)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(3);
    for (const answer of refused) expectLimited(answer, "user", 5);
  });

  it("M01: other users of the same organization meet the organization's bucket", async () => {
    const organization = await organizationOf("owner", "admin", "member");
    await giveTenant(organization.id, { tenant: atMost(4) });
    const keys = await Promise.all(
      [organization.owner, organization.admin, organization.member].flatMap((userId) => [
        newKey({ userId }),
        newKey({ userId }),
      ]),
    );
    await Promise.all(keys.map(({ id }) => changePolicy(id, { tenantId: organization.id })));
    await publish();
    const answers = await Promise.all(keys.map(({ key }) => echo(key)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(2);
    for (const answer of refused) expectLimited(answer, "tenant", 4);
  });

  it("M01: rotated keys share rate and quota with the key that they came from", async () => {
    const first = await keyWith({ ...atMost(4), quotaMax: 3, quotaPeriod: "total" });
    const second = await keyWith(
      { ...atMost(4), quotaMax: 3, quotaPeriod: "total", chainId: first.id },
      { userId: first.userId },
    );
    expect([(await echo(first.key)).status, (await echo(second.key)).status]).toEqual([200, 200]);
    const third = await echo(first.key);
    expect([leftOf(third.response, "credential"), leftOf(third.response, "quota")]).toEqual([1, 0]);
    expect((await echo(second.key)).error?.data).toMatchObject({ code: "quota_exceeded" });
  });

  it.each([
    ["in the parameters", { cost: -1, weight: 0, _meta: { cost: 0, progressToken: "x" } }, {}],
    ["in its arguments", { arguments: { text: "x", cost: -5 } }, {}],
    ["in headers", {}, { "x-ratelimit-cost": "0", ratelimit: '"credential";r=1000', "x-cost": "-1", cost: "NaN" }],
  ])("M03: a call costs one, whatever a client says %s", async (_where, params, headers) => {
    const subject = await keyWith({ ...atMost(9), quotaMax: 9, quotaPeriod: "total" });
    for (const left of [8, 7, 6]) {
      const call = { name: "echo", arguments: { text: "x" }, ...params };
      const { response } = await rpc("tools/call", call, { key: subject.key, headers });
      expect([leftOf(response, "credential"), leftOf(response, "quota")]).toEqual([left, left]);
    }
  });
});

describe("quotas", () => {
  it.each(["month", "total"])("R10: by %s: says what is left, and when there is more", async (quotaPeriod) => {
    const subject = await keyWith({ quotaMax: 3, quotaPeriod });
    const answers = [await echo(subject.key), await rpc("tools/list", {}, subject), await echo(subject.key)];
    expect(answers.map(({ response }) => leftOf(response, "quota"))).toEqual([2, 1, 0]);
    const before = await countsOf(subject);
    const refused = await echo(subject.key);
    expect(refused.status).toBe(429);
    expect(refused.error).toMatchObject({ code: 429, data: { code: "quota_exceeded", tier: "quota" } });
    const { resetsAt } = refused.error?.data ?? {};
    if (quotaPeriod === "total") expect(resetsAt).toBeNull();
    else {
      expect(resetsAt).toMatch(/^\d{4}-\d{2}-01T00:00:00\.000Z$/);
      const days = (Date.parse(String(resetsAt)) - Date.now()) / 86_400_000;
      expect(days).toBeGreaterThan(0);
      expect(days).toBeLessThanOrEqual(31);
    }
    expect(await countsOf(subject)).toEqual(before);
  });

  it("R10: is written down, and goes on from there when Redis has forgotten everything", async () => {
    const subject = await keyWith({ quotaMax: 10, quotaPeriod: "total" });
    for (const left of [9, 8, 7]) expect(leftOf((await echo(subject.key)).response, "quota")).toBe(left);
    await eventually(async () => {
      const { rows } = await db.execute<{ used: string }>(
        sql`select used from quota_use where chain_id = ${subject.id} and period = 'total'`,
      );
      return rows[0]?.used === "3" ? true : undefined;
    });
    await forget(redisKeys.quota(subject.id));
    await forgetRecord(subject.key);
    expect(leftOf((await echo(subject.key)).response, "quota")).toBe(6);
  });

  it("R10: goes on from there when Redis has forgotten only how much was used", async () => {
    const subject = await keyWith({ quotaMax: 10, quotaPeriod: "total" });
    await db.execute(sql`insert into quota_use values (${subject.id}, 'total', 4)`);
    expect(leftOf((await echo(subject.key)).response, "quota")).toBe(5);
    await db.execute(sql`update quota_use set used = 7 where chain_id = ${subject.id}`);
    await forget(redisKeys.quota(subject.id));
    expect(leftOf((await echo(subject.key)).response, "quota")).toBe(2);
  });

  it("R10: a monthly one begins anew with the month, whatever the month before has used", async () => {
    const subject = await keyWith({ quotaMax: 3, quotaPeriod: "month" });
    await db.execute(sql`insert into quota_use values (${subject.id}, '2020-01', 3)`);
    expect(leftOf((await echo(subject.key)).response, "quota")).toBe(2);
    expect(await redisText(redisKeys.quota(subject.id))).toMatch(/^20\d\d-\d\d\|1$/);
  });

  it("R10: of nothing admits nothing", async () => {
    const { key } = await keyWith({ quotaMax: 0, quotaPeriod: "total" });
    expect(await statusesOf(2, () => echo(key))).toEqual([429, 429]);
    const answer = await request("/mcp", { method: "POST", headers: { "x-api-key": key }, body: "{}" });
    expect(answer.status).toBe(415);
  });
});
