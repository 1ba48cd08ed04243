import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GATEWAY_SHARDS, gatewayPart, planOf, shardOf, TIERS } from "../../../src/limits/plan.ts";

const A = { perMinute: 1, burst: 2 };
const B = { perMinute: 3, burst: 4 };
const C = { perMinute: 5, burst: 6 };

describe("R10: the plan of a credential", () => {
  it("R10: has a limit for each tier when nobody has said anything, the wider the more it is shared by", () => {
    const plan = planOf({}, {}, null);
    for (const part of ["perMinute", "burst"] as const) {
      const { credential, user, tenant, tool, gateway } = plan;
      const sizes = [1, credential[part], user[part], tool[part], tenant[part], gateway[part]];
      expect(sizes).toEqual(sizes.toSorted((a, b) => a - b));
      expect(new Set(sizes).size).toBe(sizes.length);
    }
    expect(plan.tools).toEqual({});
  });

  it.each(TIERS)("R10: is as the operator set for %s, and by default otherwise", (tier) => {
    expect(planOf({ [tier]: A }, {}, null)).toEqual({ ...planOf({}, {}, null), [tier]: A });
  });

  it.each(["credential", "user", "tenant", "tool"] as const)(
    "R10: is as the tenant was given for %s, over what the operator set",
    (tier) => {
      expect(planOf({ [tier]: A }, { [tier]: B }, null)).toEqual({ ...planOf({}, {}, null), [tier]: B });
    },
  );

  it("M01: lets no tenant be given more of what all of them share", () => {
    expect(planOf({ gateway: A }, { gateway: B }, null).gateway).toEqual(A);
    expect(planOf({}, { gateway: B }, null).gateway).toEqual(planOf({}, {}, null).gateway);
  });

  it("R10: has the key's own rate in place of the credential's, and of nothing else", () => {
    const without = planOf({ credential: A }, { credential: B }, null);
    expect(planOf({ credential: A }, { credential: B }, C)).toEqual({ ...without, credential: C });
  });

  it("R10: has the limits of single tools of both, the tenant's over the operator's", () => {
    const plan = planOf({ tools: { echo: A, whoami: A } }, { tools: { whoami: B, notes__create: C } }, null);
    expect(plan.tools).toEqual({ echo: A, whoami: B, notes__create: C });
  });

  it("does not hold limits of addresses, which no credential has", () => {
    expect(Object.keys(planOf({ address: A, guess: B }, { address: A, guess: B }, null)).toSorted()).toEqual(
      [...TIERS, "tools"].toSorted(),
    );
  });

  it("is made anew each time: no plan changes another", () => {
    const plan = planOf({}, {}, null);
    plan.user = A;
    expect(planOf({}, {}, null).user).not.toEqual(A);
  });
});

describe("the parts of what everybody shares", () => {
  it("are together no more than the whole, and none of them nothing", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000_000 }),
        fc.integer({ min: 1, max: 10_000_000 }),
        (perMinute, burst) => {
          const part = gatewayPart({ perMinute, burst });
          expect(part.perMinute * GATEWAY_SHARDS).toBeLessThanOrEqual(Math.max(perMinute, GATEWAY_SHARDS));
          expect(part.burst * GATEWAY_SHARDS).toBeLessThanOrEqual(Math.max(burst, GATEWAY_SHARDS));
          expect(Math.min(part.perMinute, part.burst)).toBeGreaterThanOrEqual(1);
        },
      ),
    );
  });

  it.each([
    ["", 0],
    ["tenant-1", 6],
    ["personal-user-1", 4],
    ["Ünïcode-✓", 0],
  ])("are the same for a tenant in every isolate: %j", (tenantId, shard) => {
    expect(shardOf(tenantId, 8)).toBe(shard);
  });

  it("are within their number for any text", () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 64 }), (tenantId, shards) => {
        const shard = shardOf(tenantId, shards);
        expect(Number.isInteger(shard) && shard >= 0 && shard < shards).toBe(true);
      }),
    );
  });

  it.each([
    ["ids that count up", (n: number) => `tenant-${n}`],
    [
      "random-looking ids",
      (n: number) => `personal-${Math.imul(n + 1, 2_654_435_761) >>> 0}x${Math.imul(n + 7, 40_503) >>> 0}`,
    ],
  ])("get about as many tenants each: %s", (_name, idOf) => {
    const counts = Array.from({ length: GATEWAY_SHARDS }, () => 0);
    for (let n = 0; n < 8_000; n++) {
      const shard = shardOf(idOf(n), GATEWAY_SHARDS);
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(800);
    expect(Math.max(...counts)).toBeLessThan(1_200);
  });
});
