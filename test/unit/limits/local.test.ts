import { describe, expect, it } from "vitest";
import { localBuckets } from "../../../src/limits/local.ts";

const NOW = 1_800_000_000_000;
const LIMIT = { perMinute: 60, burst: 2 };

describe("the buckets of one isolate", () => {
  it("count each key for itself", () => {
    const local = localBuckets(10);
    expect([1, 2, 3].map(() => local.take("a", LIMIT, NOW).taken)).toEqual([true, true, false]);
    expect(local.take("b", LIMIT, NOW)).toMatchObject({ taken: true, remaining: 1 });
  });

  it("say how long to wait, and take nothing for saying so", () => {
    const local = localBuckets(10);
    expect(local.waitFor("a", LIMIT, NOW)).toBe(0);
    for (let n = 0; n < 5; n++) local.waitFor("a", LIMIT, NOW);
    local.take("a", LIMIT, NOW);
    local.take("a", LIMIT, NOW);
    expect(local.waitFor("a", LIMIT, NOW)).toBe(1_000);
    expect(local.waitFor("a", LIMIT, NOW + 999)).toBe(1);
    expect(local.waitFor("a", LIMIT, NOW + 1_000)).toBe(0);
  });

  it("are not filled by asking them while they are empty", () => {
    const local = localBuckets(10);
    local.take("a", LIMIT, NOW);
    local.take("a", LIMIT, NOW);
    for (let ms = 0; ms < 1_000; ms += 100) expect(local.take("a", LIMIT, NOW + ms).taken).toBe(false);
    expect(local.take("a", LIMIT, NOW + 1_000).taken).toBe(true);
  });

  it("are no more than they may be: the one that was used least recently goes, and is full again", () => {
    const local = localBuckets(2);
    for (const key of ["b", "b", "a", "a"]) local.take(key, LIMIT, NOW);
    local.take("c", LIMIT, NOW);
    expect(["a", "b", "c"].map((key) => local.waitFor(key, LIMIT, NOW))).toEqual([1_000, 0, 0]);
  });

  it("drop none for a key that is there already, nor for one that is refused", () => {
    const local = localBuckets(2);
    const none = { perMinute: 60, burst: 1 };
    local.take("a", none, NOW);
    local.take("b", LIMIT, NOW);
    local.take("b", LIMIT, NOW);
    expect(local.take("a", none, NOW).taken).toBe(false);
    expect(local.waitFor("a", none, NOW)).toBe(1_000);
    expect(local.waitFor("b", LIMIT, NOW)).toBe(1_000);
  });
});
