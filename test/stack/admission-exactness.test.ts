import { setTimeout } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { admit, type AdmitDeps } from "../../src/access/admission/admit.ts";
import { auditShardOf, type Admission } from "../../src/access/admission/admission.ts";
import type { CheckedCredential } from "../../src/access/credential/authenticate.ts";
import { recordMemory } from "../../src/access/credential/memory.ts";
import type { Scope } from "../../src/identity/scopes.ts";
import { UNITS, type Limit } from "../../src/limits/bucket.ts";
import { localBuckets } from "../../src/limits/local.ts";
import { GATEWAY_SHARDS, shardOf, TIERS, type Tier } from "../../src/limits/plan.ts";
import { uuidv7 } from "../../src/platform/crypto.ts";
import type { LimitSettings } from "../../src/platform/limit-settings.ts";
import { redisKeys } from "../../src/platform/redis/redis.ts";
import { scriptRunner } from "../../src/platform/redis/script.ts";
import { startRedisServer, TOKEN, type RedisServer } from "./servers.ts";

const CLIENTS = 64;
const RUN_MS = 10_000;
/** How long a client waits after a refusal: 320 of them come back all the time, and leave this machine time to answer. */
const PACE_MS = 200;
const MAX_SKEW_MS = 120_000;
const LIMIT: Limit = { perMinute: 240, burst: 40 };
/** Refills one call in a minute: as good as not at all while a test runs. */
const STOPPED = { perMinute: 1, burst: 5 };
/** The log has the times of calls in whole milliseconds, and may read the clock after the bucket did. */
const ROUNDING_MS = 1;
const WIDE = { perMinute: 1_000_000, burst: 1_000_000 };
const TOOL = "echo";

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedisServer();
  redis = new Redis(server.redisUrl, { keyPrefix: server.keyPrefix });
});
beforeEach(async () => {
  const kept = await redis.keys(`${server.keyPrefix}*`);
  if (kept.length > 0) await redis.del(kept.map((key) => key.slice(server.keyPrefix.length)));
});
afterEach(() => vi.unstubAllGlobals());
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** A key of its own user and tenant, whose tenant has a part of the gateway's bucket and an audit stream for itself. */
interface Subject {
  id: string;
  tenantId: string;
  limits: LimitSettings;
  quota?: { max: number; used: number };
}

const tenantOfShard = (shard: number): string => {
  for (let n = 0; ; n++) if (shardOf(`tenant-${n}`, GATEWAY_SHARDS) === shard) return `tenant-${n}`;
};

/** A subject whom only this tier limits. */
function boundBy(tier: Tier, limit: Limit, others: Limit = WIDE): Subject {
  const part = (of: Limit) => ({ perMinute: of.perMinute * GATEWAY_SHARDS, burst: of.burst * GATEWAY_SHARDS });
  const limits = Object.fromEntries(
    TIERS.map((name) => [name, name === tier ? limit : others] as const).map(([name, of]) => [
      name,
      name === "gateway" ? part(of) : of,
    ]),
  );
  return { id: `bound-by-${tier}`, tenantId: tenantOfShard(TIERS.indexOf(tier)), limits };
}

const bucketKeys = ({ id, tenantId }: Subject): Record<Tier, string> => ({
  credential: redisKeys.bucket("credential", `chain-${id}`),
  user: redisKeys.bucket("user", `user-${id}`),
  tenant: redisKeys.bucket("tenant", tenantId),
  tool: redisKeys.bucket("tool", `${tenantId}:${TOOL}`),
  gateway: redisKeys.bucket("gateway", String(shardOf(tenantId, GATEWAY_SHARDS))),
});

const statesOf = async (subject: Subject) =>
  redis.mget([...Object.values(bucketKeys(subject)), redisKeys.quota(`chain-${subject.id}`)]);

/** One isolate: nothing of it is shared with the others, and its clock is wrong. */
interface Client {
  call: (eventId?: string) => Promise<Admission>;
  /** Gets to know the credential by a call that is refused and takes nothing. */
  learn: () => Promise<Admission>;
}

/** What Postgres would say; anything else that is asked of it is an error: admission has no reason to. */
const rowOf = ({ id, tenantId, quota }: Subject) => ({
  id,
  name: null,
  user_id: `user-${id}`,
  tenant_id: tenantId,
  chain_id: `chain-${id}`,
  version: "1",
  tenant_epoch: "0",
  user_epoch: "0",
  permissions: '{"mcp":["tools"]}',
  works: true,
  is_administrator: false,
  expires_at: null,
  disabled_until: null,
  addresses: null,
  servers: null,
  tools: null,
  limits: null,
  per_minute: null,
  burst: null,
  period_ends: null,
  quota_max: quota ? String(quota.max) : null,
  period: quota ? "total" : null,
  used: String(quota?.used ?? 0),
});

function clientOf(subject: Subject, skewMs: number): Client {
  const deps: AdmitDeps = {
    db: { execute: () => Promise.resolve({ rows: [rowOf(subject)] }) } as unknown as AdmitDeps["db"],
    runScript: scriptRunner({
      UPSTASH_REDIS_REST_URL: server.endpoint,
      UPSTASH_REDIS_REST_TOKEN: TOKEN,
      REDIS_TIMEOUT_MS: 20_000,
    }),
    memory: recordMemory(10),
    local: localBuckets(10),
    log: () => undefined,
    limits: subject.limits,
    guesses: WIDE,
    adoptLegacyKey: undefined,
  };
  const credential: CheckedCredential = { kind: "api_key", key: subject.id, hash: `hash-${subject.id}` };
  const wanted = { address: "192.0.2.1", server: null, tool: TOOL, beyondTools: false };
  const ask = async (scopes: Scope[], eventId?: string) => {
    const now = Date.now() + skewMs;
    const id = eventId ?? uuidv7(now);
    const entry = () => JSON.stringify({ id });
    const request = { eventId: id, wanted: { ...wanted, scopes }, entry, isHarmless: true };
    const admission = await admit(deps, credential, request, now);
    if ("admitted" in admission && admission.admitted.isDegraded) throw new Error("Redis was not asked");
    return admission;
  };
  return { call: (eventId) => ask([], eventId), learn: () => ask(["admin"]) };
}

/** Clocks spread evenly over all that is wrong. */
const clientsOf = (subject: Subject): Client[] =>
  Array.from({ length: CLIENTS }, (_, n) =>
    clientOf(subject, Math.round((n / (CLIENTS - 1)) * 2 * MAX_SKEW_MS) - MAX_SKEW_MS),
  );

const isAdmitted = (admission: Admission) => "admitted" in admission;
const admittedOf = async (calls: Promise<Admission>[]) => (await Promise.all(calls)).filter(isAdmitted).length;
const tierOf = (admission: Admission) =>
  "refusal" in admission && admission.refusal.kind === "rate_limited" ? admission.refusal.tier : undefined;

const redisNow = async () => {
  const [seconds = 0, micros = 0] = (await redis.time()).map(Number);
  return seconds * 1_000 + Math.floor(micros / 1_000);
};

describe("64 clients with clocks up to two minutes off, for ten seconds", () => {
  interface Run {
    /** When the bucket was full, and when each call was let in, by the clock of Redis. */
    startedAt: number;
    times: number[];
    /** What the bucket holds at the end, as of `at`. */
    left: { units: number; at: number };
    events: Set<string>;
    admitted: number;
    otherRefusals: Admission[];
  }
  const runs = new Map<Tier, Run>();

  async function runOf(tier: Tier): Promise<Run> {
    const subject = boundBy(tier, LIMIT);
    const clients = clientsOf(subject);
    await Promise.all(clients.map(({ learn }) => learn()));
    expect(await statesOf(subject), "what learning has taken").toEqual([null, null, null, null, null, null]);
    await clientOf(subject, MAX_SKEW_MS).call();
    const state = async () => {
      const [units = Number.NaN, at = Number.NaN] = ((await redis.get(bucketKeys(subject)[tier])) ?? "")
        .split(":")
        .map(Number);
      return { units, at };
    };
    const first = await state();
    if (first.units !== (LIMIT.burst - 1) * UNITS) throw new Error("the bucket was not full");
    const until = performance.now() + RUN_MS;
    const otherRefusals: Admission[] = [];
    let admitted = 1;
    await Promise.all(
      clients.map(async ({ call }) => {
        while (performance.now() < until) {
          const admission = await call();
          if (isAdmitted(admission)) admitted++;
          else if (tierOf(admission) !== tier) otherRefusals.push(admission);
          else await setTimeout(PACE_MS);
        }
      }),
    );
    // What nobody took so far: the first refusal says that less than one call is left.
    const [drain = clientOf(subject, 0)] = clients;
    while (isAdmitted(await drain.call())) admitted++;
    const log = await redis.xrange(redisKeys.auditStream(auditShardOf(subject.tenantId)), "-", "+");
    const times = log.map(([streamId]) => Number(streamId.split("-")[0]));
    const events = new Set(log.map(([, fields]) => fields.join()));
    return { startedAt: first.at, times, left: await state(), events, admitted, otherRefusals };
  }

  /** What a bucket holds after calls at these times, when it takes one call for each and loses only what does not fit. */
  const heldAfter = (startedAt: number, times: readonly number[]) =>
    times.reduce(
      ({ units, at }, time) => {
        const refill = Math.max(0, time - at) * LIMIT.perMinute;
        return { units: Math.min(LIMIT.burst * UNITS, units + refill) - UNITS, at: Math.max(at, time) };
      },
      { units: LIMIT.burst * UNITS, at: startedAt },
    ).units;

  it("M02: R10: never get more than burst and refill in any prefix of the log, and get all of that, in each tier", async () => {
    await Promise.all(TIERS.map(async (tier) => runs.set(tier, await runOf(tier))));
    expect([...runs.keys()].toSorted()).toEqual(TIERS.toSorted());
    for (const [tier, { startedAt, times, left, events, admitted, otherRefusals }] of runs) {
      const allowed = (at: number) => LIMIT.burst + (LIMIT.perMinute * (at - startedAt)) / 60_000;
      const tooEarly = times.filter((at, index) => index + 1 > allowed(at));
      expect(tooEarly, `${tier}: calls that came too early`).toEqual([]);
      const withheld = Math.abs(left.units - heldAfter(startedAt, times));
      expect(withheld, `${tier}: neither let in nor still there`).toBeLessThanOrEqual(
        ROUNDING_MS * LIMIT.perMinute * times.length,
      );
      expect(left.units, `${tier}: still there when a call was refused`).toBeLessThan(UNITS);
      expect([times.length, events.size], `${tier}: entries, events`).toEqual([admitted, admitted]);
      expect(otherRefusals, `${tier}: refusals by others`).toEqual([]);
    }
  });
});

describe("a refusal", () => {
  it.each(TIERS)("R10: by the bucket of the %s takes nothing from any other, nor from the quota", async (tier) => {
    const subject = { ...boundBy(tier, STOPPED, { perMinute: 1, burst: 1_000 }), quota: { max: 1_000, used: 0 } };
    const clients = clientsOf(subject);
    expect(await admittedOf(clients.map(({ call }) => call()))).toBe(STOPPED.burst);
    const before = await statesOf(subject);
    expect(before.every((state) => state !== null)).toBe(true);
    expect(before.at(-1)).toBe(`total|${STOPPED.burst}`);
    const refused = await Promise.all(clients.flatMap(({ call }) => [call(), call()]));
    expect(new Set(refused.map(tierOf))).toEqual(new Set([tier]));
    expect(await statesOf(subject)).toEqual(before);
  });

  it("R10: by the quota takes nothing from any bucket", async () => {
    // Buckets that take minutes to be full again: Redis keeps their state at least that long.
    const slow = { perMinute: 1, burst: 1_000 };
    const subject = { ...boundBy("user", slow, slow), quota: { max: 3, used: 0 } };
    const clients = clientsOf(subject);
    expect(await admittedOf(clients.map(({ call }) => call()))).toBe(3);
    const before = await statesOf(subject);
    const refused = await Promise.all(clients.map(({ call }) => call()));
    expect(refused.every((one) => "refusal" in one && one.refusal.kind === "quota_exceeded")).toBe(true);
    expect(await statesOf(subject)).toEqual(before);
  });
});

/** Lets every third question about a call be answered, but the answer be lost; the repeat of a question is answered. Returns how many were lost. */
function losingAnswers(): () => number {
  const send = globalThis.fetch;
  const lost = new Set<string>();
  let asked = 0;
  vi.stubGlobal("fetch", async (url: string, init: { body: string }) => {
    const answer = await send(url, init);
    if (!init.body.includes("mrg1:verdict:") || lost.has(init.body) || ++asked % 3 !== 0) return answer;
    lost.add(init.body);
    await answer.arrayBuffer();
    throw new TypeError("the connection was reset");
  });
  return () => lost.size;
}

describe("a quota", () => {
  it.each([
    { used: 0, admits: 100 },
    { used: 93, admits: 7 },
    { used: 100, admits: 0 },
    { used: 120, admits: 0 },
  ])("R10: of 100 calls with $used used admits exactly $admits to 64 clients", async ({ used, admits }) => {
    const clients = clientsOf({ ...boundBy("user", WIDE), quota: { max: 100, used } });
    expect(await admittedOf(clients.flatMap(({ call }) => [call(), call(), call()]))).toBe(admits);
  });

  it("M02: R10: admits exactly as many when every third answer is lost and asked for again", async () => {
    const clients = clientsOf({ ...boundBy("user", WIDE), quota: { max: 100, used: 0 } });
    const lost = losingAnswers();
    expect(await admittedOf(clients.flatMap(({ call }) => [call(), call(), call()]))).toBe(100);
    expect(lost()).toBeGreaterThan(50);
  });

  it("R10: gives the repeats of one event one verdict, and counts it once", async () => {
    const subject = { ...boundBy("user", WIDE), quota: { max: 100, used: 0 } };
    const [first, ...others] = clientsOf(subject);
    const eventId = uuidv7();
    const verdict = await first?.call(eventId);
    const repeats = await Promise.all(others.map(({ call }) => call(eventId)));
    const comparable = (admission: Admission | undefined) => {
      if (!admission || !("admitted" in admission)) return admission;
      const { limits, quotaLeft, entry } = admission.admitted;
      return { limits, quotaLeft, entry };
    };
    expect(comparable(verdict)).toMatchObject({ quotaLeft: 99 });
    for (const repeat of repeats) expect(comparable(repeat)).toEqual(comparable(verdict));
    expect((await statesOf(subject)).at(-1)).toBe("total|1");
    expect(await redis.xlen(redisKeys.auditStream(auditShardOf(subject.tenantId)))).toBe(1);
  });
});

describe("a bucket whose state makes no sense", () => {
  const hour = 3_600_000;
  const states: [what: string, state: (now: number) => string, admits: number][] = [
    ["is no state", () => "garbage", STOPPED.burst],
    ["is empty text", () => "", STOPPED.burst],
    ["has a part too many", (now) => `${UNITS}:${now}:1`, STOPPED.burst],
    ["is below nothing", (now) => `-${UNITS}:${now}`, STOPPED.burst],
    ["holds more than it can", (now) => `${UNITS * 1_000_000}:${now}`, STOPPED.burst],
    ["holds more than can be counted", (now) => `${"9".repeat(30)}:${now}`, STOPPED.burst],
    ["is from before time began", () => "0:0", STOPPED.burst],
    ["is empty and from the future", (now) => `0:${now + hour}`, 0],
    ["holds two calls and is from the future", (now) => `${2 * UNITS}:${now + hour}`, 2],
    ["is full and from the far future", () => `${5 * UNITS}:${"9".repeat(20)}`, STOPPED.burst],
  ];

  it.each(states)("R10: M06: because it %s admits no more than a full one", async (_what, state, admits) => {
    const subject = boundBy("tenant", STOPPED);
    await redis.set(bucketKeys(subject).tenant, state(await redisNow()));
    const clients = clientsOf(subject);
    expect(await admittedOf(clients.map(({ call }) => call()))).toBe(admits);
    expect(await admittedOf(clients.map(({ call }) => call()))).toBe(0);
  });
});
