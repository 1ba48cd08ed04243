import { describe, expect, it } from "vitest";
import { admit, type AdmitDeps } from "../../../../src/access/admission/admit.ts";
import type { AdmissionRequest, Admitted } from "../../../../src/access/admission/admission.ts";
import type { CheckedCredential } from "../../../../src/access/credential/authenticate.ts";
import { recordText, type CredentialRecord } from "../../../../src/access/record.ts";
import { TIERS } from "../../../../src/limits/plan.ts";
import { RedisUnavailable } from "../../../../src/platform/redis/script.ts";
import { grantOf, KEY, NOW, PROOF, quota, tokenClaim, versioned, wanted } from "../credentials.ts";
import { GUESSES, late, lost, PostgresDown, ROW, stores } from "../stores.ts";

const RECORD_KEY = "mrg1:key:hash-1";
const GRANT = { ...versioned(), record: grantOf() };
const OK = ["verdict", "ok|9,8,7,6,5||1700-0"];
const DOWN = new RedisUnavailable("Redis did not answer.");

const request = (change: Partial<AdmissionRequest> = {}): AdmissionRequest => ({
  eventId: "event-1",
  wanted: wanted(),
  entry: undefined,
  isHarmless: false,
  ...change,
});

const call = (deps: AdmitDeps, claim: CheckedCredential = KEY, change: Partial<AdmissionRequest> = {}) =>
  admit(deps, claim, request(change), NOW);

/** Stores of which the isolate has seen the key's record before. */
function warm(redis: unknown[], change: Partial<CredentialRecord> = {}, postgres: Parameters<typeof stores>[0] = {}) {
  const made = stores({ redis, ...postgres });
  made.deps.memory.set(RECORD_KEY, versioned(change), NOW - 1);
  return made;
}

const invalid = (reason: string, presented = "api_key") => ({ kind: "invalid_credential", presented, reason });
const unknownKey = { refusal: invalid("unknown key") };

describe("R9: what it costs to let a call in", () => {
  it("R9: is one request to Redis for a key that the isolate knows", async () => {
    const { deps, counts, asked } = warm([OK]);
    expect(await call(deps)).toHaveProperty("admitted");
    expect(counts()).toEqual({ redis: 1, sql: 0, left: 0 });
    expect(asked.scripts[0]).toMatchObject({ name: "admit", args: expect.arrayContaining(["3|5|7|works||"]) });
    expect(deps.memory.confirmedAt(RECORD_KEY)).toBe(NOW);
  });

  it("R9: is two for one that it sees for the first time, and Redis knows", async () => {
    const { deps, counts, asked } = stores({ redis: [["record", recordText(versioned())], OK] });
    expect(await call(deps)).toHaveProperty("admitted");
    expect(counts()).toEqual({ redis: 2, sql: 0, left: 0 });
    expect(asked.scripts.map(({ name }) => name)).toEqual(["locate", "admit"]);
    expect(deps.memory.get(RECORD_KEY)).toEqual(versioned());
  });

  it("R9: is one statement more for one that neither knows", async () => {
    const { deps, counts, asked } = stores({ redis: [["none", ""], OK], postgres: [[ROW]] });
    expect(await call(deps)).toHaveProperty("admitted");
    expect(counts()).toEqual({ redis: 2, sql: 1, left: 0 });
    expect(asked.scripts[1]?.args[2]).toBe(recordText(versioned()));
  });

  it("R9: is two requests for a token whose grant Redis knows, and one when the isolate knows it, too", async () => {
    const { deps, counts } = stores({ redis: [["record", recordText(GRANT)], OK, OK] });
    expect(await call(deps, tokenClaim())).toHaveProperty("admitted");
    expect(counts()).toEqual({ redis: 2, sql: 0, left: 1 });
    expect(await call(deps, tokenClaim())).toHaveProperty("admitted");
    expect(counts()).toEqual({ redis: 3, sql: 0, left: 0 });
  });

  it("R9: is two requests and one statement for a token whose grant nobody knows", async () => {
    const { deps, counts, asked } = stores({ redis: [["miss", ""], OK], postgres: [[ROW]] });
    expect(await call(deps, tokenClaim())).toHaveProperty("admitted");
    expect(counts()).toEqual({ redis: 2, sql: 1, left: 0 });
    expect(asked.scripts.map(({ args }) => args.slice(1, 3))).toEqual([
      ["", ""],
      ["1|5|7|works||", expect.stringMatching(/^1\|5/)],
    ]);
  });

  it("R04: is two requests and one statement for a key that does not exist, and one request when that is known", async () => {
    const { deps, counts, asked } = stores({
      redis: [
        ["none", ""],
        ["unknown", ""],
      ],
      postgres: [[]],
    });
    expect(await call(deps)).toEqual(unknownKey);
    expect(counts()).toEqual({ redis: 2, sql: 1, left: 0 });
    const bucket = "mrg1:bucket:guess:c0000201";
    expect(asked.scripts).toEqual(
      ["found", "missing"].map((what) => ({ name: "locate", keys: [RECORD_KEY, bucket], args: ["60", "5", what] })),
    );
    const again = stores({ redis: [["unknown", ""]] });
    expect(await call(again.deps)).toEqual(unknownKey);
    expect(again.counts()).toEqual({ redis: 1, sql: 0, left: 0 });
  });
});

describe("an admitted call", () => {
  it("R8: has its principal, the limits, the tenant's epoch and the place of its audit entry", async () => {
    const { deps } = warm([["verdict", "ok|9,8,7,6,5|5|1700-0"]], { quota });
    const { admitted } = (await call(deps, KEY, { entry: () => "{}" })) as { admitted: Admitted };
    expect(admitted).toMatchObject({
      principal: { credential: { kind: "api_key", id: "key-1" }, tenantId: "tenant-1" },
      quotaLeft: 5,
      tenantEpoch: 5,
      entry: { id: "1700-0" },
      used: { keyId: "key-1", at: NOW, quota: { chainId: "chain-1", period: "2027-01", used: 5 } },
      isDegraded: false,
    });
    expect(admitted.limits).toMatchObject(TIERS.map((tier, index) => ({ tier, remaining: 9 - index })));
  });

  it("R11: writes its entry as the principal that was found, and none when there is nothing to write", async () => {
    const { deps, asked } = warm([OK, OK]);
    await call(deps, KEY, { entry: ({ credential }) => `by ${credential.id}` });
    expect(await call(deps)).toMatchObject({ admitted: { quotaLeft: undefined } });
    expect(asked.scripts.map(({ args }) => args[9])).toEqual(["by key-1", ""]);
  });

  it("is of no use to a key when it was made with a token", async () => {
    const { deps } = stores({
      redis: [
        ["record", recordText(GRANT)],
        ["verdict", "ok|1,1,1,1,1||"],
      ],
    });
    expect(await call(deps, tokenClaim())).toMatchObject({ admitted: { used: undefined, entry: undefined } });
  });

  it("has no less than nothing left of a quota that was made smaller", async () => {
    const { deps } = warm([["verdict", "ok|9,8,7,6,5|12|"]], { quota });
    expect(await call(deps)).toMatchObject({ admitted: { quotaLeft: 0 } });
  });
});

describe("R9: what Redis says of a record", () => {
  it("R9: record: another one is the current one, and is decided on instead", async () => {
    const current = versioned({ works: false }, 4);
    const { deps, counts, asked } = warm([
      ["record", recordText(current)],
      ["current", ""],
    ]);
    expect(await call(deps)).toMatchObject({
      refusal: { kind: "invalid_credential" },
      principal: { userId: "user-1" },
    });
    expect(counts()).toEqual({ redis: 2, sql: 0, left: 0 });
    expect(asked.scripts[1]?.args.slice(1, 5)).toEqual(["4|5|7|ended||", "", "0", "refuse"]);
    expect(deps.memory.get(RECORD_KEY)).toEqual(current);
  });

  it.each([
    ["miss", ["miss", ""]],
    ["stale", ["stale", ""]],
    ["garbage in place of the record", ["record", "3|5|7|works||<html>"]],
  ])("R9: %s: Postgres is asked, and what it says goes along", async (_state, answer) => {
    const { deps, counts, asked } = warm([answer, OK], {}, { postgres: [[{ ...ROW, version: "4" }]] });
    expect(await call(deps)).toHaveProperty("admitted");
    expect(counts()).toEqual({ redis: 2, sql: 1, left: 0 });
    expect(asked.scripts[1]?.args[1]).toBe("4|5|7|works||");
    expect(asked.scripts[1]?.args[2]).toMatch(/^4\|5\|7\|works\|\|\{/);
  });

  it("R9: stale: what was read before a change is read again", async () => {
    const rows = ["3", "4"].map((version) => [{ ...ROW, version }]);
    const { deps, counts, asked } = stores({ redis: [["none", ""], ["stale", ""], OK], postgres: rows });
    expect(await call(deps)).toHaveProperty("admitted");
    expect(counts()).toEqual({ redis: 3, sql: 2, left: 0 });
    expect(asked.scripts.slice(1).map(({ args }) => args[1])).toEqual(["3|5|7|works||", "4|5|7|works||"]);
  });

  it.each(["ended", "dead", "unknown", "expired"])("R9: %s: refused, and forgotten", async (state) => {
    const { deps, counts } = warm([[state, ""]]);
    expect(await call(deps)).toEqual({ refusal: invalid(state) });
    expect(counts()).toEqual({ redis: 1, sql: 0, left: 0 });
    expect(deps.memory.get(RECORD_KEY)).toBeUndefined();
  });

  it("K03: ended: a token that is bound to a key is refused in its own scheme", async () => {
    const { deps } = stores({ redis: [["ended", ""]] });
    expect(await call(deps, tokenClaim({ proof: PROOF }))).toEqual({
      refusal: { ...invalid("ended", "access_token"), scheme: "DPoP" },
    });
  });

  it("K03: replayed: a proof is good once", async () => {
    const { deps } = stores({
      redis: [
        ["record", recordText(GRANT)],
        ["replayed", ""],
      ],
    });
    expect(await call(deps, tokenClaim({ proof: PROOF }))).toMatchObject({ refusal: { kind: "invalid_dpop_proof" } });
  });

  it("R9: current: the refusal of the record stands, for a caller who is known", async () => {
    const { deps, asked } = warm([["current", ""]], { tools: [] });
    const answer = await call(deps, KEY, { entry: () => "never written" });
    expect(answer).toMatchObject({ refusal: { kind: "not_on_list" }, principal: { credential: { id: "key-1" } } });
    expect(asked.scripts[0]?.keys).toHaveLength(7);
    expect(asked.scripts[0]?.args.slice(4)).toEqual(["refuse", "", "", "0", "", ""]);
  });

  it.each([
    ["rate_limited|1|250", "credential", 250],
    ["rate_limited|4|1", "tool", 1],
    ["rate_limited|5|60000", "gateway", 60_000],
  ])("R10: verdict %s: the limit that was reached, and when to come back", async (verdict, tier, retryMs) => {
    const { deps } = warm([["verdict", verdict]]);
    const answer = await call(deps);
    expect(answer).toMatchObject({ refusal: { kind: "rate_limited", tier, retryMs }, principal: { userId: "user-1" } });
    expect(answer).toHaveProperty("refusal.limits", [{ tier, limit: expect.anything(), remaining: 0 }]);
  });

  it("verdict quota: the quota is used up", async () => {
    const { deps } = warm([["verdict", "quota|10"]], { quota });
    expect(await call(deps)).toMatchObject({
      refusal: { kind: "quota_exceeded", quota, retryMs: expect.anything() },
      principal: { userId: "user-1" },
    });
  });

  it("gives up on a credential that changes faster than it is read, and lets Postgres decide", async () => {
    const changing = Array.from({ length: 6 }, (_, n) => ["record", recordText(versioned({}, 4 + n))]);
    const { deps, counts } = warm(changing, {}, { postgres: [[ROW]] });
    expect(await call(deps)).toMatchObject({ admitted: { isDegraded: true } });
    expect(counts()).toEqual({ redis: 6, sql: 1, left: 0 });
  });
});

describe("J07: a key that is refused", () => {
  it("J07: is told by no reason what the key was", async () => {
    const answers = await Promise.all(
      [
        [
          ["none", ""],
          ["unknown", ""],
        ],
        [["unknown", ""]],
        [
          ["record", recordText(versioned({ works: false }))],
          ["current", ""],
        ],
      ].map((redis) => call(stores({ redis, postgres: [[]] }).deps)),
    );
    expect(answers.map((answer) => "refusal" in answer && answer.refusal.kind)).toEqual(
      Array(3).fill("invalid_credential"),
    );
    expect(JSON.stringify(answers)).not.toContain(KEY.key);
    expect(JSON.stringify(answers)).not.toContain(KEY.hash);
  });

  it("J06: is not looked up for an address that has guessed too often", async () => {
    const { deps, counts } = stores({ redis: [["blocked", "59000"]] });
    expect(await call(deps)).toEqual({
      refusal: {
        kind: "rate_limited",
        tier: "address",
        retryMs: 59_000,
        limits: [{ tier: "address", limit: GUESSES, remaining: 0 }],
      },
    });
    expect(counts()).toEqual({ redis: 1, sql: 0, left: 0 });
  });

  it.each([
    ["2001:db8:1:2:3::4", "mrg1:bucket:guess:20010db800010002"],
    ["::ffff:192.0.2.1", "mrg1:bucket:guess:c0000201"],
    [null, "mrg1:bucket:guess:unknown"],
    ["nonsense", "mrg1:bucket:guess:unknown"],
  ])("J06: is counted by the customer's addresses: %j", async (address, bucket) => {
    const { deps, asked } = stores({ redis: [["unknown", ""]] });
    await call(deps, KEY, { wanted: wanted({ address }) });
    expect(asked.scripts[0]?.keys).toEqual([RECORD_KEY, bucket]);
  });

  it("R9: is read from Postgres where Redis keeps the mark of a change", async () => {
    const { deps, counts } = stores({ redis: [["record", "4|"], OK], postgres: [[{ ...ROW, version: "4" }]] });
    expect(await call(deps)).toHaveProperty("admitted");
    expect(counts()).toEqual({ redis: 2, sql: 1, left: 0 });
  });
});

describe("R19: a key of the old system", () => {
  const legacy: CheckedCredential = { kind: "api_key", key: "legacy-key-of-someone", hash: "hash-1" };
  const adopting = (made: ReturnType<typeof stores>, isOne: boolean): AdmitDeps => ({
    ...made.deps,
    adoptLegacyKey: async (key) => {
      made.asked.adopted.push(key);
      return isOne;
    },
  });

  it("R19: is taken in the first time it is presented, and was counted as a guess before", async () => {
    const made = stores({ redis: [["none", ""], ["unknown", ""], OK], postgres: [[], [ROW]] });
    expect(await call(adopting(made, true), legacy)).toHaveProperty("admitted");
    expect(made.asked.adopted).toEqual([legacy.key]);
    expect(made.asked.scripts.map(({ name, args }) => `${name} ${args[2]?.slice(0, 14)}`)).toEqual([
      "locate found",
      "locate guess",
      "admit 3|5|7|works||{",
    ]);
    expect(made.counts()).toEqual({ redis: 3, sql: 2, left: 0 });
  });

  it("R19: is looked for once, and unknown when it is none", async () => {
    const redis = ["none", "unknown", "unknown"].map((state) => [state, ""]);
    const made = stores({ redis, postgres: [[]] });
    expect(await call(adopting(made, false), legacy)).toEqual(unknownKey);
    expect(made.asked.scripts.map(({ args }) => args[2])).toEqual(["found", "guess", "mark"]);
    expect(made.counts()).toEqual({ redis: 3, sql: 1, left: 0 });
  });

  it("R19: is not looked for when it has the form of ours, or is known", async () => {
    const ours = stores({
      redis: [
        ["none", ""],
        ["unknown", ""],
      ],
      postgres: [[]],
    });
    expect(await call(adopting(ours, true))).toEqual(unknownKey);
    const known = stores({ redis: [["none", ""], OK], postgres: [[ROW]] });
    expect(await call(adopting(known, true), legacy)).toHaveProperty("admitted");
    expect([...ours.asked.adopted, ...known.asked.adopted]).toEqual([]);
  });
});

describe("M06: a Redis that does not answer as it should", () => {
  it("M06: is asked once more when the answer was lost, as the same event", async () => {
    const { deps, counts, asked } = warm([lost(), OK]);
    expect(await call(deps, KEY, { entry: () => "{}" })).toMatchObject({ admitted: { isDegraded: false } });
    expect(counts()).toEqual({ redis: 2, sql: 0, left: 0 });
    expect(asked.scripts[1]).toEqual(asked.scripts[0]);
    expect(asked.scripts[1]?.keys[0]).toBe("mrg1:verdict:event-1");
  });

  it("M06: is asked once more, and no more than that", async () => {
    const { deps, counts } = warm([lost(), lost()], {}, { postgres: [[ROW]] });
    expect(await call(deps)).toMatchObject({ admitted: { isDegraded: true } });
    expect(counts()).toEqual({ redis: 2, sql: 1, left: 0 });
  });

  it("M06: is not asked again after a timeout: that would double it", async () => {
    const { deps, counts } = warm([late()], {}, { postgres: [[ROW]] });
    expect(await call(deps)).toMatchObject({ admitted: { isDegraded: true } });
    expect(counts()).toEqual({ redis: 1, sql: 1, left: 0 });
  });

  it.each<[string, unknown]>([
    ["nothing", null],
    ["text", "OK"],
    ["numbers", [1, 2]],
    ["an unknown state", ["hello", ""]],
    ["no state", []],
    ["a verdict that is none", ["verdict", "yes"]],
    ["a quota where there is none", ["verdict", "quota|1"]],
  ])("M06: lets nobody in by an answer that is none: %s", async (_what, garbage) => {
    const { deps } = warm([garbage, garbage], {}, { postgres: [new PostgresDown("away")] });
    await expect(call(deps)).rejects.toThrow("away");
  });

  it("M06: that cannot look a key up leaves that to Postgres", async () => {
    const { deps, counts } = stores({ redis: [DOWN, DOWN], postgres: [[ROW]] });
    expect(await call(deps)).toMatchObject({ admitted: { isDegraded: true } });
    expect(counts()).toEqual({ redis: 2, sql: 1, left: 0 });
  });

  it("R8: and a Postgres that does not either let nobody in", async () => {
    const { deps } = stores({ redis: [DOWN, DOWN], postgres: [new PostgresDown("away")] });
    await expect(call(deps)).rejects.toThrow("away");
  });

  it("R8: a Postgres that does not answer while Redis does lets nobody in who is not known", async () => {
    const { deps, counts } = stores({ redis: [["none", ""]], postgres: [new PostgresDown("away")] });
    await expect(call(deps)).rejects.toThrow("away");
    expect(counts()).toEqual({ redis: 1, sql: 1, left: 0 });
    expect(deps.memory.get(RECORD_KEY)).toBeUndefined();
  });

  it("S03: a mistake of ours is not taken for a Redis that is away", async () => {
    const { deps, counts } = warm([new TypeError("a mistake")]);
    await expect(call(deps)).rejects.toThrow("a mistake");
    expect(counts()).toEqual({ redis: 1, sql: 0, left: 0 });
  });
});
