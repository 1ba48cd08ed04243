import { describe, expect, it } from "vitest";
import {
  answerCache,
  forgetViews,
  registryMemory,
  rememberView,
  STALE_MS,
} from "../../../../src/registry/reading/answer-cache.ts";

const answer = (body: string, at = 0, epoch?: number) => ({ body, etag: `"${body}"`, at, epoch });
const HOUR = 3_600_000;

describe("kept answers", () => {
  it("are fresh until their time, and stand in for a day", () => {
    const cache = answerCache(1_000);
    cache.put("list", answer("a", 100));
    expect(cache.fresh("list", { now: 10_099, maxAgeMs: 10_000 })?.body).toBe("a");
    expect(cache.fresh("list", { now: 10_100, maxAgeMs: 10_000 })).toBeUndefined();
    expect(cache.stale("list", 100 + STALE_MS - 1)?.body).toBe("a");
    expect(cache.stale("list", 100 + STALE_MS)).toBeUndefined();
    expect(cache.fresh("other", { now: 100, maxAgeMs: 10_000 })).toBeUndefined();
  });

  it("of another epoch of the tenant are not fresh, for whoever knows the epoch", () => {
    const cache = answerCache(1_000);
    cache.put("list", answer("a", 0, 7));
    const fresh = (epoch?: number) => cache.fresh("list", { now: 1, maxAgeMs: 10, epoch })?.body;
    expect([fresh(7), fresh(8), fresh()]).toEqual(["a", undefined, "a"]);
    cache.put("list", answer("b"));
    expect([fresh(7), fresh()]).toEqual([undefined, "b"]);
  });

  it("from before a change are not fresh, and stand in all the same", () => {
    const cache = answerCache(1_000);
    cache.put("before", answer("a", 5));
    cache.expire(5);
    cache.put("after", answer("b", 6));
    expect(cache.fresh("before", { now: 6, maxAgeMs: HOUR })).toBeUndefined();
    expect(cache.fresh("after", { now: 6, maxAgeMs: HOUR })?.body).toBe("b");
    expect(cache.stale("before", HOUR)?.body).toBe("a");
  });

  it("take a bounded space: the oldest go first, and a huge one does not come in", () => {
    const cache = answerCache(80);
    for (let n = 0; n < 9; n++) cache.put(`list ${n}`, answer("x".repeat(10)));
    const kept = Array.from({ length: 9 }, (_, n) => cache.stale(`list ${n}`, 1) !== undefined);
    expect(kept).toEqual([false, ...Array.from({ length: 8 }, () => true)]);
    cache.put("list 1", answer("x".repeat(11)));
    expect(cache.stale("list 1", 1)).toBeUndefined();
    for (let n = 0; n < 100; n++) cache.put("again", answer("x".repeat(10)));
    expect(cache.stale("list 8", 1)).toBeDefined();
  });
});

describe("kept views", () => {
  const view = { id: "1", tenantId: "t", addresses: null, endsAt: null };

  it("are a thousand at most, and none after a change", () => {
    const memory = registryMemory();
    for (let n = 0; n < 1_001; n++) rememberView(memory, `hash ${n}`, view, 0);
    expect(memory.views.size).toBe(1_000);
    expect(memory.views.has("hash 0")).toBe(false);
    forgetViews(memory);
    expect(memory.views.size).toBe(0);
  });
});
