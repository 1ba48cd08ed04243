import { describe, expect, it } from "vitest";
import { limitSettings, limitsSetting } from "../../../src/platform/limit-settings.ts";

const LIMIT = { perMinute: 600, burst: 100 };

/** What is said of a bad setting. */
const problem = (text: string) =>
  limitsSetting
    .safeParse(text)
    .error?.issues.map(({ message }) => message)
    .join("\n");

describe("R10: the setting LIMITS", () => {
  it.each([
    ["{}", {}],
    [' { "tenant" : {"burst":100,"perMinute":600} } ', { tenant: LIMIT }],
    ['{"tools":{"notes__search":{"perMinute":600,"burst":100}}}', { tools: { notes__search: LIMIT } }],
    ['{"tools":{}}', { tools: {} }],
    ['{"user":{"perMinute":1,"burst":1}}', { user: { perMinute: 1, burst: 1 } }],
    [
      '{"gateway":{"perMinute":100000000,"burst":10000000}}',
      { gateway: { perMinute: 100_000_000, burst: 10_000_000 } },
    ],
  ])("R10: may be %s", (text, settings) => {
    expect(limitsSetting.parse(text)).toEqual(settings);
  });

  it("R10: may name each tier, failedAttempts, and those who guess keys", () => {
    const tiers = ["credential", "user", "tenant", "tool", "gateway", "address", "guess"];
    const all = Object.fromEntries(tiers.map((tier) => [tier, LIMIT]));
    expect(limitsSetting.parse(JSON.stringify(all))).toEqual(all);
  });

  it.each([
    ["", undefined],
    ["{", undefined],
    ["null", undefined],
    ["[]", undefined],
    ["600", undefined],
    ['"tenant"', undefined],
    ['{"tenants":{"perMinute":600,"burst":100}}', undefined],
    ['{"tenant":600}', "tenant"],
    ['{"tenant":null}', "tenant"],
    ['{"tenant":{"perMinute":600}}', "tenant.burst"],
    ['{"tenant":{"perMinute":600,"burst":100,"cost":1}}', "tenant"],
    ['{"tenant":{"perMinute":0,"burst":100}}', "tenant.perMinute"],
    ['{"tenant":{"perMinute":-1,"burst":100}}', "tenant.perMinute"],
    ['{"tenant":{"perMinute":1.5,"burst":100}}', "tenant.perMinute"],
    ['{"tenant":{"perMinute":"600","burst":100}}', "tenant.perMinute"],
    ['{"tenant":{"perMinute":1e400,"burst":100}}', "tenant.perMinute"],
    ['{"tenant":{"perMinute":100000001,"burst":100}}', "tenant.perMinute"],
    ['{"user":{"perMinute":600,"burst":10000001}}', "user.burst"],
    ['{"tools":{"echo":{"perMinute":600,"burst":0}}}', "tools.echo.burst"],
    ['{"tools":[]}', "tools"],
    ['{"tools":{"":{"perMinute":600,"burst":100}}}', "tools."],
    [`{"tools":{"${"x".repeat(129)}":{"perMinute":600,"burst":100}}}`, "tools.x"],
  ])("R3: may not be %.70s", (text, place) => {
    const words = 'must be JSON such as {"tenant": {"perMinute": 600, "burst": 100}}';
    if (place === undefined) expect(problem(text)).toBe(words);
    else expect(problem(text)).toContain(`${words}; check ${place}`);
  });

  it("R10: holds for a tenant, too", () => {
    expect(limitSettings.parse({ tenant: LIMIT })).toEqual({ tenant: LIMIT });
    expect(limitSettings.safeParse({ tenant: { ...LIMIT, burst: 0 } }).success).toBe(false);
  });
});
