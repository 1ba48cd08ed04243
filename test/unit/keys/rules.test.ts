import { describe, expect, it } from "vitest";
import type { KeyChange } from "../../../src/keys/keys.ts";
import { checkKeyFields } from "../../../src/keys/rules.ts";

const NOW = Date.UTC(2026, 10, 21);
const DAY = 86_400_000;

const problemsOf = (fields: KeyChange) => {
  const checked = checkKeyFields(fields, NOW);
  return "problems" in checked ? checked.problems : {};
};
const keptOf = (fields: KeyChange) => {
  const checked = checkKeyFields(fields, NOW);
  return "fields" in checked ? checked.fields : undefined;
};
const numbered = (count: number, entry: (i: number) => string) => Array.from({ length: count }, (_, i) => entry(i));

describe("the fields of a key", () => {
  it("are kept with names trimmed and each entry of a list once", () => {
    const fields = {
      name: " Laptop ",
      scopes: ["mcp:tools", "mcp:tools"],
      servers: ["a", "a"],
      tools: ["x", "y", "x"],
    };
    expect(keptOf(fields as KeyChange)).toEqual({
      name: "Laptop",
      scopes: ["mcp:tools"],
      servers: ["a"],
      tools: ["x", "y"],
    });
  });

  it("name every fault at once", () => {
    const fields: KeyChange = {
      name: "",
      scopes: [],
      expiresAt: new Date(0),
      servers: [],
      rate: { perMinute: 0, burst: 1 },
    };
    expect(Object.keys(problemsOf(fields))).toEqual(["name", "scopes", "expiresAt", "servers", "rate"]);
  });

  it.each(["", "   ", "x".repeat(101), "a\nb", "a\u0000b", "a\u009fb", "\ud800"])("refuse the name %j", (name) => {
    expect(problemsOf({ name })).toEqual({ name: expect.stringContaining("1 to 100") });
  });

  it.each(["x", "x".repeat(100), "Ключ 🔑", "<b>&\"'"])("take the name %j", (name) => {
    expect(keptOf({ name })).toEqual({ name });
  });

  it.each([0, NOW - 1, NOW, NOW + 365 * DAY + 1, NOW + 366 * DAY, Date.UTC(9999, 0), Number.NaN])(
    "J11: refuse to end at %d",
    (at) => {
      expect(problemsOf({ expiresAt: new Date(at) })).toEqual({ expiresAt: expect.stringContaining("365 days") });
    },
  );

  it.each([NOW + 1, NOW + 365 * DAY])("J11: take an end at %d", (at) => {
    expect(problemsOf({ expiresAt: new Date(at) })).toEqual({});
  });

  it("J11: take no end at all", () => {
    expect(keptOf({ expiresAt: null })).toEqual({ expiresAt: null });
  });

  it.each([
    "10.0.0.0/8x",
    "10.0.0.0/33",
    "10.0.0.1/8",
    "::/129",
    "fe80::1%eth0",
    "10.0.0",
    "010.0.0.1",
    "example.com",
    "",
    "*",
  ])("J14: refuse the address %j and name it", (entry) => {
    const { addresses = "" } = problemsOf({ addresses: ["192.0.2.1", entry] });
    expect(addresses).toContain(JSON.stringify(entry));
  });

  it.each([
    [
      ["0.0.0.0/0", "::/0"],
      ["0.0.0.0/0", "::/0"],
    ],
    [["10.0.0.0/8", "::ffff:10.0.0.0/104", "::FFFF:0A00:0/104"], ["10.0.0.0/8"]],
    [["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "192.0.2.1/32"], ["192.0.2.1"]],
    [
      ["2001:DB8::/64", "2001:db8:0::/64", "2001:db8::/128"],
      ["2001:db8::/64", "2001:db8::/128"],
    ],
    [[" 192.0.2.0/24 "], ["192.0.2.0/24"]],
  ])("J14: keep of the addresses %j one spelling each: %j", (addresses, kept) => {
    expect(keptOf({ addresses })).toEqual({ addresses: kept });
  });

  it.each(["servers", "tools", "addresses"] as const)(
    "J14: refuse an empty list of %s, which would allow nothing",
    (list) => {
      expect(problemsOf({ [list]: [] })).toEqual({ [list]: expect.stringContaining("would allow nothing") });
      expect(problemsOf({ [list]: null })).toEqual({});
    },
  );

  it.each([
    ["servers", 50, (i: number) => `s-${i}`],
    ["tools", 200, (i: number) => `tool_${i}`],
    ["addresses", 100, (i: number) => `192.0.2.${i}`],
  ] as const)("J14: take %s up to %d and no more", (list, most, entry) => {
    expect(problemsOf({ [list]: numbered(most, entry) })).toEqual({});
    expect(problemsOf({ [list]: numbered(most + 1, entry) })).toEqual({ [list]: expect.stringContaining(`${most}`) });
    expect(problemsOf({ [list]: numbered(10_000, entry) })).toEqual({ [list]: expect.stringContaining(`${most}`) });
  });

  it.each(["A", "a_b", "", "x".repeat(17), "a b"])("refuse the server %j", (slug) => {
    expect(problemsOf({ servers: [slug] })).toEqual({ servers: expect.stringContaining("slug") });
  });

  it.each(["", "x".repeat(129), "a\u0000", "\udfff"])("refuse the tool %j", (name) => {
    expect(problemsOf({ tools: [name] })).toEqual({ tools: expect.stringContaining("tool") });
  });

  it.each([
    { perMinute: 0, burst: 1 },
    { perMinute: 1, burst: 0 },
    { perMinute: 100_001, burst: 1 },
    { perMinute: 1.5, burst: 1 },
    { perMinute: Number.NaN, burst: 1 },
    { perMinute: 1, burst: Infinity },
  ])("refuse the rate %j", (rate) => {
    expect(problemsOf({ rate })).toEqual({ rate: expect.stringContaining("100000") });
  });

  it.each([0, -1, 1.5, 1e12 + 1, Number.NaN])("refuse a quota of %d", (max) => {
    expect(problemsOf({ quota: { max, period: "month" } })).toHaveProperty("quota");
  });

  it("take rates and quotas in their bounds, or none", () => {
    expect(problemsOf({ rate: { perMinute: 100_000, burst: 1 }, quota: { max: 1e12, period: "total" } })).toEqual({});
    expect(problemsOf({ rate: null, quota: null })).toEqual({});
  });

  it.each(["openid", "offline_access", "nothing"])("refuse the scope %s", (scope) => {
    expect(problemsOf({ scopes: [scope] as never })).toEqual({
      scopes: expect.stringContaining("is not a scope that a key can have"),
    });
  });
});
