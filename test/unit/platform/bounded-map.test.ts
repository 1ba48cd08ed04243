import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { boundedMap, expiringMap, throttle, type BoundedMap } from "../../../src/platform/bounded-map.ts";

const keysOf = (map: Pick<BoundedMap<unknown>, "entries">) => [...map.entries()].map(([key]) => key);

describe("a bounded map", () => {
  it("holds what was set last, and drops what was set least recently", () => {
    const map = boundedMap<number>(2);
    map.set("a", 1);
    map.set("b", 2);
    map.get("b");
    map.set("a", 3);
    map.set("c", 4);
    expect([...map.entries()]).toEqual([
      ["a", 3],
      ["c", 4],
    ]);
    expect([map.get("b"), map.has("b"), map.has("a"), map.size]).toEqual([undefined, false, true, 2]);
  });

  it("does not keep an entry for being read", () => {
    const map = boundedMap<number>(2);
    map.set("a", 1);
    map.set("b", 2);
    map.get("a");
    map.set("c", 3);
    expect(keysOf(map)).toEqual(["b", "c"]);
  });

  it("has room again after an entry is deleted, and for everything after it is cleared", () => {
    const map = boundedMap<number>(2);
    map.set("a", 1);
    map.set("b", 2);
    map.delete("b");
    map.delete("b");
    map.set("c", 3);
    expect(keysOf(map)).toEqual(["a", "c"]);
    map.clear();
    expect(map.size).toBe(0);
    map.set("d", 4);
    map.set("e", 5);
    expect(keysOf(map)).toEqual(["d", "e"]);
  });

  it("holds values by their weight, and none that is too heavy", () => {
    const map = boundedMap<string>(10, (text) => text.length);
    map.set("a", "xxxx");
    map.set("b", "xxxx");
    map.set("a", "xx");
    map.set("c", "xxxx");
    expect(keysOf(map)).toEqual(["b", "a", "c"]);
    map.set("d", "x");
    expect(keysOf(map)).toEqual(["a", "c", "d"]);
    map.set("e", "x".repeat(11));
    expect(map.has("e")).toBe(false);
  });

  it("never holds more than it may, whatever is set and deleted", () => {
    const step = fc.record({ key: fc.constantFrom("a", "b", "c", "d", "e"), value: fc.nat({ max: 12 }) });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const map = boundedMap<number>(10, (value) => value);
        for (const { key, value } of steps) {
          if (value === 12) map.delete(key);
          else map.set(key, value);
          const held = [...map.entries()].reduce((sum, [, weight]) => sum + weight, 0);
          expect(held).toBeLessThanOrEqual(10);
          if (value <= 10) expect(map.get(key)).toBe(value);
        }
      }),
      { seed: 1 },
    );
  });
});

describe("an expiring map", () => {
  it("forgets an entry when its time is over, and begins anew when it is set again", () => {
    const map = expiringMap<string>(10, 1_000);
    map.set("a", "x", 5_000);
    expect([map.get("a", 5_999), map.get("a", 6_000)]).toEqual(["x", undefined]);
    map.set("a", "y", 6_000);
    expect(map.get("a", 6_999)).toBe("y");
    map.delete("a");
    expect(map.get("a", 6_000)).toBeUndefined();
  });

  it("is bounded", () => {
    const map = expiringMap<number>(2, 1_000);
    for (const key of ["a", "b", "c"]) map.set(key, 1, 0);
    expect(["a", "b", "c"].map((key) => map.get(key, 0))).toEqual([undefined, 1, 1]);
  });
});

describe("a throttle", () => {
  it("passes once in its time for each key, counted from when it passed", () => {
    const each = throttle(10, 1_000);
    expect([0, 500, 999, 1_000, 1_500, 2_000].map((now) => each.passes("a", now))).toEqual([
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
    expect(each.passes("b", 2_001)).toBe(true);
  });

  it("passes again at once when it is told to forget", () => {
    const each = throttle(10, 1_000);
    each.passes("a", 0);
    each.forget("a");
    expect(each.passes("a", 1)).toBe(true);
  });
});

/** Maps and sets that grow entry by entry, and why each of them ends. All others are made of what is there, or are bounded maps. */
const GROWING: Readonly<Record<string, string>> = {
  "auth/storage/token-request.ts": "lives for one token request",
  "keys/rules.ts": "local to one check of a list of addresses",
  "platform/bounded-map.ts": "is the bounded map",
  "platform/postgres/db.ts": "local to one call, which connects three databases",
  "platform/settings.ts": "local to one estimate of a secret",
  "registry/definition/place.ts": "local to one check of a list",
  "registry/mirror/mirror.ts": "local to one page of a source",
  "registry/mirror/sync.ts": "local to one run, which visits a bounded number of sources",
};

describe("the memory of an isolate", () => {
  const src = resolve(import.meta.dirname, "../../../src");
  const EMPTY = /\bnew (?:Weak)?(?:Map|Set)\b\s*(?:<[^;=]*>)?\s*\(\s*\)/;

  it("has no map or set that can grow without a bound", () => {
    const growing = readdirSync(src, { recursive: true, encoding: "utf8" })
      .map((file) => file.replaceAll("\\", "/"))
      .filter((file) => /\.tsx?$/.test(file) && EMPTY.test(readFileSync(join(src, file), "utf8")));
    expect(growing.toSorted((a, b) => a.localeCompare(b))).toEqual(Object.keys(GROWING));
  });

  it("is searched for each way to make an empty one", () => {
    const empty = ["new Map()", "new Set<string>()", "new Map<string, { a: Map<string, number> }>()", "new WeakMap( )"];
    const filled = ["new Map([[1, 2]])", "new Set(names)", "new Map<string, number>(pairs)", "new Headers()"];
    expect([...empty, ...filled].filter((text) => EMPTY.test(text))).toEqual(empty);
  });
});
