import { describe, expect, it } from "vitest";
import { compare, versus, type Pair } from "../../bench/pairs.ts";
import { quantile, spread } from "../../bench/statistics.ts";

const slice = (latencyMs: number, callsPerSecond: number, cpuMs: number) => ({ latencyMs, callsPerSecond, cpuMs });

/** The machine gets slower from pair to pair; the contestant always costs twice what the bare Worker costs. */
const drifting: Pair[] = [1, 2, 4].map((slow) => ({
  bare: slice(slow, 1000 / slow, slow),
  own: slice(2 * slow, 500 / slow, 2 * slow),
}));

describe("statistics of the benchmark", () => {
  it.each([
    [[5], 0.5, 5],
    [[3, 1, 2], 0.5, 2],
    [[4, 1, 2, 3], 0.5, 2.5],
    [[1, 2, 3, 4, 5], 0.25, 2],
    [[1, 2], 0.75, 1.75],
  ])("the quantile of %j at %f is %f", (values, at, expected) => expect(quantile(values, at)).toBe(expected));

  it("the quantile of nothing is not a number", () => expect(quantile([], 0.5)).toBeNaN());

  it("a spread keeps one disturbed value out of the median", () => {
    expect(spread([1, 1, 1, 1, 100])).toEqual({ median: 1, low: 1, high: 1 });
  });
});

describe("pairs of the benchmark", () => {
  it("compare within each pair, so that a machine that gets slower does not change the result", () => {
    const { latencyTimes, throughputTimes, cpuTimes, addedLatencyMs } = compare(drifting);
    expect([latencyTimes, throughputTimes, cpuTimes].map(({ low, high }) => [low, high])).toEqual([
      [2, 2],
      [0.5, 0.5],
      [2, 2],
    ]);
    expect(addedLatencyMs.median).toBe(2);
  });

  it("compare two contestants through the bare Worker that each was paired with", () => {
    const twiceAsSlow = drifting.map(({ bare, own }) => ({
      bare: slice(2 * bare.latencyMs, bare.callsPerSecond, 2 * bare.cpuMs),
      own: slice(2 * own.latencyMs, own.callsPerSecond, 2 * own.cpuMs),
    }));
    expect(versus(drifting, twiceAsSlow)).toMatchObject({ latency: { median: 1 }, cpu: { median: 1 } });
    const fourTimes = drifting.map(({ bare, own }) => ({ bare, own: slice(4 * own.latencyMs, 1, 4 * own.cpuMs) }));
    expect(versus(drifting, fourTimes)).toMatchObject({ latency: { median: 0.25 }, cpu: { median: 0.25 } });
  });

  it("say nothing when a contestant was not measured", () => {
    expect(versus(drifting, []).latency.median).toBeNaN();
  });
});
