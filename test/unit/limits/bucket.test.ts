import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { refilled, take, UNITS, windowSeconds, type Bucket, type Limit } from "../../../src/limits/bucket.ts";

const NOW = 1_800_000_000_000;
const limits = fc.record({
  perMinute: fc.integer({ min: 1, max: 100_000_000 }),
  burst: fc.integer({ min: 1, max: 10_000_000 }),
});
/** Limits that a few dozen calls run into. */
const smallLimits = fc.record({
  perMinute: fc.integer({ min: 1, max: 5_000 }),
  burst: fc.integer({ min: 1, max: 12 }),
});
/** Calls with the milliseconds since the one before; negative where the clock goes back. */
const gaps = (min: number) => fc.array(fc.integer({ min, max: 30_000 }), { minLength: 1, maxLength: 60 });

/** A bucket that has been taken from any number of times. */
const used = (limit: Limit) =>
  fc.integer({ min: 0, max: limit.burst * UNITS }).map((units): Bucket => ({ units, at: NOW }));

/** Takes at each moment; what came of it. */
function taken(limit: Limit, waits: readonly number[]) {
  let bucket: Bucket | undefined;
  let now = NOW;
  return waits.map((gap) => {
    now += gap;
    const result = take(bucket, limit, now);
    if (result.taken) ({ bucket } = result);
    return { now, result, bucket };
  });
}

describe("R10: a token bucket", () => {
  it("R10: is full at first, lets its burst through at once, and then what flows in", () => {
    const limit = { perMinute: 60, burst: 3 };
    const moments = [0, 0, 0, 0, 999, 1, 0];
    expect(taken(limit, moments).map(({ result }) => (result.taken ? result.remaining : -result.retryMs))).toEqual([
      2, 1, 0, -1_000, -1, 0, -1_000,
    ]);
  });

  it("M02: never lets more through, in whatever stretch of time, than its burst and what flows in meanwhile", () => {
    fc.assert(
      fc.property(smallLimits, gaps(0), (limit, waits) => {
        const passed = taken(limit, waits).flatMap(({ now, result }) => (result.taken ? [now] : []));
        const stretches = passed.flatMap((from, first) =>
          passed.slice(first).map((to, more) => more + 1 - ((to - from) * limit.perMinute) / 60_000),
        );
        expect(Math.max(...stretches)).toBeLessThanOrEqual(limit.burst);
      }),
    );
  });

  it("M03: counts in whole numbers that a double holds, never below nothing nor above its size", () => {
    fc.assert(
      fc.property(limits, gaps(-60_000), (limit, waits) => {
        const held = taken(limit, waits).map(({ bucket }) => bucket?.units ?? NaN);
        const isGood = (units: number) => Number.isSafeInteger(units) && units >= 0 && units <= limit.burst * UNITS;
        expect(held.filter((units) => !isGood(units))).toEqual([]);
      }),
    );
  });

  it("has the next call exactly when it says, and not a millisecond before", () => {
    fc.assert(
      fc.property(
        limits.chain((limit) => fc.record({ limit: fc.constant(limit), bucket: used(limit), later: fc.nat(5_000) })),
        ({ limit, bucket, later }) => {
          const refused = take(bucket, limit, NOW + later);
          fc.pre(!refused.taken);
          const { retryMs } = refused;
          expect(Number.isSafeInteger(retryMs) && retryMs > 0).toBe(true);
          expect(take(bucket, limit, NOW + later + retryMs).taken).toBe(true);
          expect(take(bucket, limit, NOW + later + retryMs - 1).taken).toBe(false);
        },
      ),
    );
  });

  it("remains as many calls as it then lets through at once", () => {
    fc.assert(
      fc.property(
        smallLimits.chain((limit) => fc.record({ limit: fc.constant(limit), bucket: used(limit) })),
        ({ limit, bucket }) => {
          const first = take(bucket, limit, NOW);
          fc.pre(first.taken);
          const rest = Array.from({ length: first.remaining + 1 }).reduce<ReturnType<typeof take>>(
            (before) => (before.taken ? take(before.bucket, limit, NOW) : before),
            first,
          );
          expect(rest.taken).toBe(false);
        },
      ),
    );
  });

  it("gains nothing from a clock that goes back, and loses nothing either", () => {
    fc.assert(
      fc.property(
        limits.chain((limit) =>
          fc.record({ limit: fc.constant(limit), bucket: used(limit), back: fc.nat(10_000_000) }),
        ),
        ({ limit, bucket, back }) => {
          expect(refilled(bucket, limit, NOW - back)).toEqual(bucket);
        },
      ),
    );
  });

  it("does not count the same time twice when the clock goes back and forth", () => {
    const limit = { perMinute: 60, burst: 1 };
    expect(taken(limit, [0, -500, 500, 500, -1_000, 1_000, 499, 1]).map(({ result }) => result.taken)).toEqual([
      true,
      false,
      false,
      false,
      false,
      false,
      false,
      true,
    ]);
  });

  it("shrinks to a smaller limit at once", () => {
    expect(refilled({ units: 200 * UNITS, at: NOW }, { perMinute: 60, burst: 2 }, NOW)).toEqual({
      units: 2 * UNITS,
      at: NOW,
    });
  });

  it("fills up from below nothing, where somebody was shut out", () => {
    const limit = { perMinute: 60, burst: 2 };
    const bucket = { units: -60_000 * 60, at: NOW };
    expect(take(bucket, limit, NOW)).toEqual({ taken: false, retryMs: 61_000 });
    expect(take(bucket, limit, NOW + 61_000)).toMatchObject({ taken: true, remaining: 0 });
  });
});

describe("the seconds that an empty bucket needs", () => {
  it.each([
    [{ perMinute: 60, burst: 60 }, 60],
    [{ perMinute: 60, burst: 1 }, 1],
    [{ perMinute: 1_200, burst: 200 }, 10],
    [{ perMinute: 7, burst: 10 }, 86],
    [{ perMinute: 100_000_000, burst: 1 }, 1],
    [{ perMinute: 1, burst: 10_000_000 }, 600_000_000],
  ])("of %j are %i", (limit, seconds) => {
    expect(windowSeconds(limit)).toBe(seconds);
  });
});
