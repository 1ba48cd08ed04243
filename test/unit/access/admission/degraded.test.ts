import { describe, expect, it } from "vitest";
import type { AdmissionRequest } from "../../../../src/access/admission/admission.ts";
import { AdmissionUnavailable, admitDegraded, type DegradedDeps } from "../../../../src/access/admission/degraded.ts";
import type { CheckedCredential } from "../../../../src/access/credential/authenticate.ts";
import { isUnavailable } from "../../../../src/platform/errors.ts";
import { KEY, NOW, PROOF, tokenClaim, versioned, wanted } from "../credentials.ts";
import { PostgresDown, ROW, stores } from "../stores.ts";

const RECORD_KEY = "mrg1:key:hash-1";
const AWAY = new PostgresDown("away");
/** A quota of ten calls, of which `used` are gone. */
const withQuota = (used: string) => [{ ...ROW, quota_max: "10", period: "2027-01", used, period_ends: NOW + 1_000 }];
const PAID = [{ used: "5" }];

const call = (deps: DegradedDeps, change: Partial<AdmissionRequest> = {}, claim: CheckedCredential = KEY, now = NOW) =>
  admitDegraded(
    deps,
    claim,
    { eventId: "event-1", wanted: wanted(), entry: undefined, isHarmless: false, ...change },
    now,
  );

/** Stores of an isolate that was told of the key's record so long ago; Postgres is away unless it is given answers. */
function known(ageMs: number, postgres: Parameters<typeof stores>[0] = { postgres: [AWAY] }) {
  const made = stores(postgres);
  made.deps.memory.set(RECORD_KEY, versioned(), NOW - ageMs);
  return made;
}

describe("M06: without Redis", () => {
  it("M06: a call is let in by what Postgres says, and Redis is not asked", async () => {
    const { deps, counts } = stores({ postgres: [[ROW]] });
    expect(await call(deps)).toMatchObject({
      admitted: {
        principal: { userId: "user-1" },
        tenantEpoch: 5,
        quotaLeft: undefined,
        entry: undefined,
        used: { keyId: "key-1", at: NOW },
        isDegraded: true,
      },
    });
    expect(counts()).toEqual({ redis: 0, sql: 1, left: 0 });
    expect(deps.memory.confirmedAt(RECORD_KEY)).toBe(NOW);
  });

  it("M06: a token is let in by what Postgres says of its grant", async () => {
    const { deps } = stores({ postgres: [[ROW], [{ ...ROW, works: false }]] });
    expect(await call(deps, {}, tokenClaim())).toMatchObject({ admitted: { used: undefined } });
    expect(await call(deps, {}, tokenClaim())).toMatchObject({
      refusal: { kind: "invalid_credential", presented: "access_token" },
      principal: { grantId: "grant-1" },
    });
  });

  it("M06: Postgres is asked each time: what the isolate knows is not enough while it answers", async () => {
    const { deps, counts } = known(0, { postgres: [[{ ...ROW, works: false }], []] });
    expect(await call(deps, { isHarmless: true })).toMatchObject({ refusal: { kind: "invalid_credential" } });
    expect(await call(deps, { isHarmless: true })).toEqual({
      refusal: { kind: "invalid_credential", presented: "api_key", reason: "unknown to Postgres" },
    });
    expect(counts().sql).toBe(2);
    expect(deps.memory.get(RECORD_KEY)).toBeUndefined();
  });

  it("K03: a proof of possession cannot be told from a replay: closed, also for what is harmless", async () => {
    const { deps, counts } = stores();
    const closed = await call(deps, { isHarmless: true }, tokenClaim({ proof: PROOF })).catch(
      (error: unknown) => error,
    );
    expect(closed).toBeInstanceOf(AdmissionUnavailable);
    expect(isUnavailable(closed)).toBe(true);
    expect(counts()).toEqual({ redis: 0, sql: 0, left: 0 });
  });

  it.each([
    ["an address", { addresses: ["198.51.100.0/24"] }, "address_not_allowed"],
    ["a tool", { tools: [] }, "not_on_list"],
    ["a scope", { permissions: "{}" }, "insufficient_scope"],
    ["its end", { expires_at: NOW }, "invalid_credential"],
  ])("M06: the rules of the key hold: %s", async (_rule, change, kind) => {
    const { deps, counts } = stores({ postgres: [[{ ...ROW, ...change }]] });
    const answer = await call(deps, { entry: () => "{}" });
    expect(answer).toMatchObject({ refusal: { kind }, principal: { credential: { id: "key-1" } } });
    expect(counts().sql).toBe(1);
  });

  it("R10: an isolate lets an eighth of each limit through", async () => {
    const row = { ...ROW, per_minute: 480, burst: 16 };
    const { deps } = stores({ postgres: Array.from({ length: 4 }, () => [row]) });
    const answers = [await call(deps), await call(deps), await call(deps)];
    expect(answers.map((answer) => Object.keys(answer)[0])).toEqual(["admitted", "admitted", "refusal"]);
    expect(answers[1]).toHaveProperty("admitted.limits.0", {
      tier: "credential",
      limit: { perMinute: 480, burst: 16 },
      remaining: 0,
    });
    expect(answers[2]).toMatchObject({
      refusal: { kind: "rate_limited", tier: "credential", retryMs: 1_000 },
      principal: { userId: "user-1" },
    });
    expect(await call(deps, {}, KEY, NOW + 1_000)).toHaveProperty("admitted");
  });

  it("R10: a call that is over one limit is taken from none", async () => {
    const row = { ...ROW, per_minute: 8, burst: 8 };
    const { deps } = stores({ postgres: [[row], [row], [{ ...ROW, chain_id: "chain-2" }]] });
    await call(deps);
    expect(await call(deps)).toMatchObject({ refusal: { kind: "rate_limited", tier: "credential" } });
    const other = await call(deps);
    // The user's bucket holds an eighth of 400: two calls were admitted.
    expect(other).toHaveProperty("admitted.limits.1.remaining", 48);
  });

  it("R10: the smallest limit lets one call through", async () => {
    const row = { ...ROW, per_minute: 1, burst: 1 };
    const { deps } = stores({ postgres: [[row], [row]] });
    expect(await call(deps)).toHaveProperty("admitted");
    expect(await call(deps)).toMatchObject({ refusal: { kind: "rate_limited", retryMs: 60_000 } });
  });
});

describe("M06: what must be noted without Redis", () => {
  it("R11: is noted by one statement: the call's entry", async () => {
    const { deps, asked, counts } = stores({ postgres: [[ROW], PAID] });
    expect(await call(deps, { entry: ({ userId }) => `{"by":"${userId}"}` })).toHaveProperty("admitted");
    expect(counts()).toEqual({ redis: 0, sql: 2, left: 0 });
    expect(asked.statements[1]?.sql).toContain(`insert into "audit_intent"`);
    expect(asked.statements[1]?.sql).not.toContain(`insert into "quota_use"`);
    expect(asked.statements[1]?.params).toEqual(["event-1", new Date(NOW).toISOString(), '{"by":"user-1"}']);
  });

  it("is noted by the same statement with the quota, which lets no entry be without a payment", async () => {
    const { deps, asked } = stores({ postgres: [withQuota("4"), PAID] });
    expect(await call(deps, { entry: () => "{}" })).toMatchObject({ admitted: { quotaLeft: undefined } });
    const { sql = "", params = [] } = asked.statements[1] ?? {};
    expect(sql).toMatch(/insert into "quota_use" .*insert into "audit_intent" .*where exists \(select 1 from used\)/s);
    expect(params.slice(0, 5)).toEqual(["chain-1", "2027-01", 5, 4, 10]);
  });

  it("is the quota alone for what is not audited, harmless or not", async () => {
    const { deps, asked } = stores({ postgres: [withQuota("4"), PAID] });
    await call(deps, { isHarmless: true });
    expect(asked.statements[1]?.sql).toContain(`insert into "quota_use"`);
    expect(asked.statements[1]?.sql).not.toContain("audit_intent");
  });

  it("M06: lets no more through at the same time than one after the other", async () => {
    const few = { ...ROW, per_minute: 8, burst: 16 };
    const { deps } = stores({ postgres: Array.from({ length: 12 }, () => [few]) });
    const answers = await Promise.all(Array.from({ length: 6 }, () => call(deps)));
    expect(answers.filter((answer) => "admitted" in answer)).toHaveLength(2);
  });

  it("is refused when the quota is used up", async () => {
    const { deps } = stores({ postgres: [withQuota("10"), [], withQuota("10"), []] });
    const refused = {
      refusal: { kind: "quota_exceeded", quota: { max: 10, used: 10 }, retryMs: expect.anything() },
      principal: { userId: "user-1" },
    };
    expect(await call(deps)).toMatchObject(refused);
    expect(await call(deps)).toMatchObject(refused);
  });

  it.each([
    ["a call with a quota", withQuota("4"), { isHarmless: true }],
    ["a call with a quota and an entry", withQuota("4"), { isHarmless: true, entry: () => "{}" }],
    ["a call that may change something", [ROW], { isHarmless: false, entry: () => "{}" }],
  ])("is closed when it cannot be noted: %s", async (_what, rows, change) => {
    const { deps, asked } = stores({ postgres: [rows, AWAY] });
    await expect(call(deps, change)).rejects.toThrow(AWAY);
    expect(asked.logged).toEqual([]);
  });

  it("goes on without its entry when it is harmless, and the log says so", async () => {
    const { deps, asked } = stores({ postgres: [[ROW], AWAY] });
    expect(await call(deps, { isHarmless: true, entry: () => "{}" })).toHaveProperty("admitted");
    expect(asked.logged).toEqual(["warn audit.unwritten"]);
  });

  it("S03: is closed by a mistake of ours, also when it is harmless", async () => {
    const { deps } = stores({ postgres: [[ROW], new TypeError("a mistake")] });
    await expect(call(deps, { isHarmless: true, entry: () => "{}" })).rejects.toThrow("a mistake");
  });
});

describe("M06: without Redis and Postgres", () => {
  it.each([
    [0, true, true],
    [30_000, true, true],
    [30_001, true, false],
    [0, false, false],
  ])("M06: of who was known %i ms ago, a call that is harmless (%j) goes on: %j", async (age, isHarmless, goesOn) => {
    const { deps, counts } = known(age);
    const answer = await call(deps, { isHarmless }).catch((error: unknown) => error);
    if (goesOn) expect(answer).toMatchObject({ admitted: { isDegraded: true, principal: { userId: "user-1" } } });
    else expect(answer).toBe(AWAY);
    expect(counts()).toEqual({ redis: 0, sql: 1, left: 0 });
  });

  it("M06: a call of who is not known does not", async () => {
    const { deps } = stores({ postgres: [AWAY] });
    await expect(call(deps, { isHarmless: true })).rejects.toThrow(AWAY);
  });

  it("M06: half a minute is not drawn out by calls that go on", async () => {
    const { deps } = known(0, { postgres: [AWAY, AWAY] });
    await call(deps, { isHarmless: true }, KEY, NOW + 30_000);
    await expect(call(deps, { isHarmless: true }, KEY, NOW + 30_001)).rejects.toThrow(AWAY);
  });

  it("M06: a key that expires meanwhile does not go on", async () => {
    const { deps } = stores({ postgres: [AWAY] });
    deps.memory.set(RECORD_KEY, versioned({ expiresAt: NOW }), NOW);
    expect(await call(deps, { isHarmless: true })).toMatchObject({ refusal: { kind: "invalid_credential" } });
  });

  it("S03: a mistake of ours is not taken for a store that is away", async () => {
    const { deps } = known(0, { postgres: [new TypeError("a mistake")] });
    await expect(call(deps, { isHarmless: true })).rejects.toThrow("a mistake");
  });
});
