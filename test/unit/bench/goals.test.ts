import { describe, expect, it } from "vitest";
import { disturbances, goals, NOISE_MS } from "../../bench/goals.ts";
import type { Compared, Versus } from "../../bench/pairs.ts";
import type { Setting } from "../../bench/results.ts";
import type { Spread } from "../../bench/statistics.ts";

const exactly = (value: number): Spread => ({ median: value, low: value, high: value });

const compared = (changed: Partial<Record<keyof Compared, number>> = {}): Compared => {
  const of = (name: keyof Compared, usual: number) => exactly(changed[name] ?? usual);
  return {
    latencyMs: of("latencyMs", 2),
    addedLatencyMs: of("addedLatencyMs", 0),
    latencyTimes: of("latencyTimes", 1),
    callsPerSecond: of("callsPerSecond", 1000),
    throughputTimes: of("throughputTimes", 1),
    cpuMsPerThousand: of("cpuMsPerThousand", 700),
    cpuTimes: of("cpuTimes", 1),
  };
};

const versus = (changed: Partial<Record<keyof Versus, number>> = {}): Versus => ({
  latency: exactly(changed.latency ?? 0.2),
  cpu: exactly(changed.cpu ?? 0.3),
  addedLatencyMs: exactly(changed.addedLatencyMs ?? 0),
});

const trips = {
  beforeAnswer: { redis: 1, sql: 0, kv: 0 },
  inSequence: 1,
  afterAnswer: { redis: 0.1, sql: 0.05, kv: 0 },
};

const good: Setting = {
  latency: { redis: 2, postgres: 5 },
  compared: {
    "bare again": compared(),
    "gateway, key": compared({ cpuTimes: 1.6, throughputTimes: 0.65 }),
    "gateway, token": compared({ cpuTimes: 1.6, throughputTimes: 0.65 }),
  },
  overallCpuTimes: {},
  versus: {
    "gateway, key / bare + PING": versus(),
    "gateway, token / bare + PING": versus(),
    "gateway, key / verifyApiKey + limits": versus(),
    "gateway, token / verifyApiKey + limits": versus(),
  },
};
const all = { settings: [good], trips: { "gateway, key": trips, "gateway, token": trips } };
const missed = (results: Parameters<typeof goals>[0]) =>
  goals(results)
    .filter(({ reached }) => !reached)
    .map(({ goal }) => goal);

const withKey = (changed: Partial<Compared>): typeof all => ({
  ...all,
  settings: [{ ...good, compared: { ...good.compared, "gateway, key": { ...compared(), ...changed } } }],
});
const withVersus = (name: string, changed: Partial<Record<keyof Versus, number>>): typeof all => ({
  ...all,
  settings: [{ ...good, versus: { ...good.versus, [`gateway, key / ${name}`]: versus(changed) } }],
});

describe("the goals of the benchmark", () => {
  it("are all reached by figures within them", () => expect(missed(all)).toEqual([]));

  it.each([
    ["CPU over 1.7 × bare", withKey({ cpuTimes: exactly(1.8) }), ["CPU at most 1.7"]],
    ["CPU over 2.1 × bare", withKey({ cpuTimes: exactly(2.2) }), ["CPU at most 1.7", "CPU at most 2.1"]],
    ["throughput under 0.6 × bare", withKey({ throughputTimes: exactly(0.55) }), ["throughput at least 0.6"]],
    [
      "throughput under 0.5 × bare",
      withKey({ throughputTimes: exactly(0.4) }),
      ["throughput at least 0.6", "throughput at least 0.5"],
    ],
    ["CPU that was not measured", withKey({ cpuTimes: exactly(Number.NaN) }), ["CPU at most 1.7", "CPU at most 2.1"]],
    [
      "latency beyond the noise over a PING",
      withVersus("bare + PING", { addedLatencyMs: NOISE_MS + 0.1 }),
      ["latency of bare and one round trip"],
    ],
    [
      "more than a quarter of the alternative's latency",
      withVersus("verifyApiKey + limits", { latency: 0.26 }),
      ["a quarter of the latency"],
    ],
    [
      "more than a third of the alternative's CPU",
      withVersus("verifyApiKey + limits", { cpu: 0.34 }),
      ["a third of the CPU"],
    ],
  ])("are missed by %s", (_, results, expected) => {
    expect(missed(results)).toEqual(expected.map((text) => expect.stringContaining(`gateway, key: ${text}`) as string));
  });

  it.each([
    ["a second Redis request", { ...trips, beforeAnswer: { redis: 2, sql: 0, kv: 0 } }, "a warm call waits"],
    ["a SQL request", { ...trips, beforeAnswer: { redis: 1, sql: 1, kv: 0 } }, "a warm call waits"],
    ["a statement for each call", { ...trips, afterAnswer: { redis: 0, sql: 1, kv: 0 } }, "after the answer"],
  ])("are missed by %s", (_, counted, text) => {
    const results = { ...all, trips: { ...all.trips, "gateway, token": counted } };
    expect(missed(results)).toEqual([expect.stringContaining(`gateway, token: ${text}`)]);
  });

  it("are missed by what was not measured", () => {
    const everything = goals(all).map(({ goal }) => goal);
    expect(missed({ settings: [{ ...good, compared: {}, versus: {} }], trips: {} })).toEqual(everything);
  });
});

describe("a run of the benchmark", () => {
  it("is trusted when the same bundle measures the same", () => expect(disturbances([good])).toEqual([]));

  it.each([
    ["throughput ×0.70", compared({ throughputTimes: 0.7 })],
    ["CPU ×1.30", compared({ cpuTimes: 1.3 })],
    ["0.90 ms slower", compared({ addedLatencyMs: 0.9 })],
  ])("is not trusted when the same bundle again has %s", (text, control) => {
    expect(disturbances([{ ...good, compared: { "bare again": control } }])).toEqual([expect.stringContaining(text)]);
  });

  it("is not trusted without a control", () => {
    expect(disturbances([{ ...good, compared: {} }])).toHaveLength(1);
  });
});
