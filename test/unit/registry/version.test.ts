import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compareSemanticVersions,
  isNewer,
  isVersionRange,
  parseSemanticVersion,
  versionFault,
  type Release,
} from "../../../src/registry/version.ts";

function order(a: string, b: string): number {
  const left = parseSemanticVersion(a);
  const right = parseSemanticVersion(b);
  if (left === undefined || right === undefined) throw new Error(`no semantic version: ${a} or ${b}`);
  return Math.sign(compareSemanticVersions(left, right));
}

describe("a semantic version", () => {
  it.each(["0.0.0", "1.2.3", "v1.2.3", "1.0.0-alpha", "1.0.0-0.3.7", "1.0.0-x-y-z.--", "1.0.0+001", "1.0.0-rc.1+b.5"])(
    "is %s",
    (text) => {
      expect(parseSemanticVersion(text)).toBeDefined();
    },
  );

  it.each([
    "",
    "1",
    "1.2",
    "1.2.3.4",
    "01.2.3",
    "1.2.3-",
    "1.2.3-01",
    "1.2.3-a..b",
    "1.2.3+",
    "V1.2.3",
    " 1.2.3",
    "2025-11-01",
  ])("is not '%s'", (text) => {
    expect(parseSemanticVersion(text)).toBeUndefined();
  });

  it("has its precedence from §11 of Semantic Versioning", () => {
    const ascending = [
      "1.0.0-1",
      "1.0.0-2",
      "1.0.0-10",
      "1.0.0-alpha",
      "1.0.0-alpha.1",
      "1.0.0-alpha.beta",
      "1.0.0-beta",
      "1.0.0-beta.2",
      "1.0.0-beta.11",
      "1.0.0-rc.1",
      "1.0.0",
      "1.0.9",
      "1.0.10",
      "1.9.0",
      "1.10.0",
      "2.0.0",
      "9007199254740993.0.0",
      "9007199254740994.0.0",
    ];
    const pairs = ascending.flatMap((a, i) => ascending.map((b, j) => ({ a, b, expected: Math.sign(i - j) })));
    expect(pairs.filter(({ a, b, expected }) => order(a, b) !== expected)).toEqual([]);
  });

  it("is not ordered by its build, nor by a leading v", () => {
    expect([order("1.0.0+a", "1.0.0+b"), order("v1.0.0", "1.0.0")]).toEqual([0, 0]);
  });
});

describe("the latest version", () => {
  it.each([
    ["the greater of two semantic ones, whenever published", ["2.0.0", 1], ["1.9.9", 9]],
    ["the release, not its candidate published later", ["1.0.0", 1], ["1.0.0-rc.9", 9]],
    ["the later of two others", ["2025-10", 9], ["2025-11", 1]],
    ["a semantic one before any other", ["0.0.1", 1], ["2025-11", 9]],
    ["the later of two that differ in their build", ["1.0.0+b1", 9], ["1.0.0+b2", 1]],
    ["the greater text when all else is equal", ["b", 1], ["a", 1]],
  ] as const)("is %s", (_, [newer, newerAt], [older, olderAt]) => {
    const a = { version: newer, publishedAt: newerAt };
    const b = { version: older, publishedAt: olderAt };
    expect([isNewer(a, b), isNewer(b, a)]).toEqual([true, false]);
  });

  it("is one and the same in whatever order versions are looked at", () => {
    const version = fc.oneof(
      fc.constantFrom("1.0.0", "1.0.0-rc.1", "1.0.0-rc.2", "2.0.0+a", "2.0.0+b", "v2.0.0", "2025-11", "a", "b"),
      fc.string({ minLength: 1, maxLength: 8 }),
    );
    const releases = fc.uniqueArray(fc.record({ version, publishedAt: fc.integer({ min: 0, max: 3 }) }), {
      minLength: 1,
      selector: ({ version: text }) => text,
    });
    const latest = (all: readonly Release[]) => all.reduce((best, next) => (isNewer(next, best) ? next : best));
    fc.assert(
      fc.property(releases, (all) => {
        expect(latest(all.toReversed())).toEqual(latest(all));
        expect(all.filter((one) => all.every((other) => one === other || isNewer(one, other)))).toEqual([latest(all)]);
      }),
    );
  });
});

describe("what names a version", () => {
  it.each([
    "^1.2.3",
    "~1.2.3",
    ">=1.2.3",
    "<2",
    "=1.0.0",
    "!=1.0",
    "1.x",
    "1.X.0",
    "1.2.*",
    "v1.x",
    "*",
    "x",
    "1.2.3 - 2.0.0",
    "1.2 || 1.3",
    ">=1.0 <2.0",
    ">=1.0,<2.0",
    "1.0, 2.0",
    "[1.0,2.0)",
    "(,1.0]",
    "1.x-beta",
  ])("is not the range %s", (text) => {
    expect([isVersionRange(text), versionFault(text)]).toEqual([true, "version_range"]);
  });

  it.each([
    "1.0.0",
    "1",
    "v2",
    "1.0.0-rc.x",
    "2025-11-01",
    "1.0.0+x",
    "2024a",
    "1!2.0",
    "nightly.5",
    "1.0.x86",
    "next",
  ])("may be %s", (text) => {
    expect([isVersionRange(text), versionFault(text)]).toEqual([false, undefined]);
  });

  it.each([
    ["latest", "version_reserved"],
    [" Latest ", "version_reserved"],
    ["", "form"],
    ["1 a", "form"],
    [" 1.0", "form"],
    ["../1", "form"],
    ["1.0/2", "form"],
    ["1%2F0", "form"],
    ["-1.0", "form"],
    ["1.0.0\u202e", "form"],
  ] as const)("is not '%s': %s", (text, fault) => {
    expect(versionFault(text)).toBe(fault);
  });
});
