import { describe, expect, it } from "vitest";
import { gatewayPart, planOf, TIERS } from "../../../src/limits/plan.ts";
import { explained, tenantLimitSettings, type TenantLimits } from "../../../src/limits/tenants.ts";
import type { LimitSettings } from "../../../src/platform/limit-settings.ts";

const limit = (perMinute: number) => ({ perMinute, burst: perMinute });

const CASES: [string, LimitSettings, TenantLimits, number | null, Record<string, string>][] = [
  ["nobody said anything", {}, {}, null, {}],
  ["the operator did", { user: limit(1), gateway: limit(80) }, {}, null, { user: "operator", gateway: "operator" }],
  ["the tenant was given some", { user: limit(1) }, { user: limit(2) }, null, { user: "tenant" }],
  ["the key has its own", { credential: limit(1) }, { credential: limit(2) }, 3, { credential: "key" }],
];

describe("the limits of a caller", () => {
  it.each(CASES)("R10: name where they come from when %s", (_when, operator, tenant, own, expected) => {
    const { tiers } = explained(operator, tenant, own === null ? null : limit(own));
    const origins = Object.fromEntries(TIERS.map((tier) => [tier, expected[tier] ?? "default"]));
    expect(Object.fromEntries(tiers.map(({ tier, from }) => [tier, from]))).toEqual(origins);
  });

  it.each(CASES)("R10: are those that admission takes from when %s", (_when, operator, tenant, own) => {
    const rate = own === null ? null : limit(own);
    const plan = planOf(operator, tenant, rate);
    for (const { tier, perMinute, burst } of explained(operator, tenant, rate).tiers)
      expect([tier, { perMinute, burst }]).toEqual([tier, tier === "gateway" ? gatewayPart(plan.gateway) : plan[tier]]);
  });

  it("R10: have single tools of the operator and of the tenant, the tenant's in place of the operator's", () => {
    const operator = { tools: { a: limit(1), b: limit(2) } };
    expect(explained(operator, { tools: { b: limit(3), toString: limit(4) } }, null).tools).toEqual([
      { tool: "a", ...limit(1), from: "operator" },
      { tool: "b", ...limit(3), from: "tenant" },
      { tool: "toString", ...limit(4), from: "tenant" },
    ]);
    expect(explained({ tools: { toString: limit(1) } }, { tools: {} }, null).tools).toEqual([
      { tool: "toString", ...limit(1), from: "operator" },
    ]);
  });
});

describe("what a tenant can be given", () => {
  it.each(["gateway", "address", "guess", "unknown"])("R10: has no limit called %s", (name) => {
    expect(tenantLimitSettings.safeParse({ [name]: limit(1) }).success).toBe(false);
  });

  it.each([
    [100, true],
    [101, false],
  ])("R10: with %i tools is good: %s", (count, isGood) => {
    const tools = Object.fromEntries(Array.from({ length: count }, (_, n) => [`tool${n}`, limit(1)]));
    expect(tenantLimitSettings.safeParse({ tools }).success).toBe(isGood);
  });
});
