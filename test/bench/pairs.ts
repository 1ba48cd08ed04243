import { setTimeout as delay } from "node:timers/promises";
import type { Name, Running } from "./contestants.ts";
import { busy, oneByOne, prime } from "./load.ts";
import { spread, type Spread } from "./statistics.ts";

/** How long a slice of load is, in milliseconds, and how many pairs of each contestant with the bare one there are. */
export interface Effort {
  sliceMs: number;
  pairs: number;
}

/** Figures of one contestant for one slice; `cpuMs` is NaN where CPU time cannot be read. */
interface Slice {
  /** Median of the calls one by one. */
  latencyMs: number;
  callsPerSecond: number;
  /** CPU of workerd for a call while busy. */
  cpuMs: number;
}

/** A contestant and the bare Worker, measured within a few seconds of each other. */
export interface Pair {
  bare: Slice;
  own: Slice;
}

/** A contestant beside an alternative, from the same rounds: its figures as times bare, divided by the other's. */
export interface Versus {
  latency: Spread;
  cpu: Spread;
  /** Difference of what both add to a bare call, in milliseconds. */
  addedLatencyMs: Spread;
}

/** Per-pair comparisons with the bare Worker, as medians and quartiles. */
export interface Compared {
  latencyMs: Spread;
  addedLatencyMs: Spread;
  latencyTimes: Spread;
  callsPerSecond: Spread;
  throughputTimes: Spread;
  cpuMsPerThousand: Spread;
  cpuTimes: Spread;
}

export interface Measured {
  pairs: Map<Name, Pair[]>;
  /** CPU of workerd over the whole measurement for each of its calls, in milliseconds: also what came long after an answer. */
  overallCpuMs: Map<Name, number>;
}

/** What a call leaves to do after its answer is done by then, and is counted. */
const SETTLE_MS = 50;
const AFTERMATH_MS = 1_000;
const WARM_UP_STEP_MS = 250;

/** Has every contestant answer so many calls, or as many as it can in `maxMs`: the runtime compiles what runs often, large Workers late. */
export async function warmUp(all: readonly Running[], calls: number, maxMs: number): Promise<void> {
  for (const { caller } of all) {
    const wanted = caller.calls() + calls;
    const deadline = performance.now() + maxMs;
    while (caller.calls() < wanted && performance.now() < deadline) await busy(caller, WARM_UP_STEP_MS);
  }
}

/**
 * Measures every contestant against the first one, in pairs: the same bundle drifts by a factor of two within minutes on a shared machine, so only what
 * was measured in alternation can be compared. Within a pair, whose turn is first changes from round to round.
 */
export async function measurePairs(
  [bare, ...others]: readonly [Running, ...Running[]],
  { sliceMs, pairs }: Effort,
): Promise<Measured> {
  const before = new Map([bare, ...others].map((one) => [one, used(one)]));
  const measured = new Map<Name, Pair[]>(others.map(({ name }) => [name, []]));
  for (let round = 0; round < pairs; round++) {
    for (const other of others) {
      const order = round % 2 === 0 ? [bare, other] : [other, bare];
      const slices = new Map<Running, Slice>();
      const latencies = new Map<Running, number>();
      for (const one of order) latencies.set(one, await quiet(one, sliceMs));
      for (const one of order)
        slices.set(one, { latencyMs: latencies.get(one) ?? Number.NaN, ...(await loaded(one, sliceMs)) });
      const [first, second] = [slices.get(bare), slices.get(other)];
      if (first && second) measured.get(other.name)?.push({ bare: first, own: second });
    }
  }
  await delay(AFTERMATH_MS);
  const overall = [...before].map(([one, then]): [Name, number] => {
    const now = used(one);
    return [one.name, (now.cpuMs - then.cpuMs) / (now.calls - then.calls)];
  });
  return { pairs: measured, overallCpuMs: new Map(overall) };
}

const used = ({ process, caller }: Running) => ({ cpuMs: process.cpuMs() ?? Number.NaN, calls: caller.calls() });

async function quiet({ caller }: Running, ms: number): Promise<number> {
  await prime(caller);
  await delay(SETTLE_MS);
  return oneByOne(caller, ms);
}

async function loaded({ caller, process }: Running, ms: number): Promise<Omit<Slice, "latencyMs">> {
  await prime(caller);
  await delay(SETTLE_MS);
  const before = process.cpuMs();
  const done = await busy(caller, ms);
  await delay(SETTLE_MS);
  const after = process.cpuMs();
  return {
    callsPerSecond: (done.calls * 1000) / done.ms,
    cpuMs: before === undefined || after === undefined ? Number.NaN : (after - before) / done.calls,
  };
}

/** Compares within each pair, then over the pairs. */
export function compare(pairs: readonly Pair[]): Compared {
  const over = (value: (pair: Pair) => number) => spread(pairs.map(value));
  return {
    latencyMs: over(({ own }) => own.latencyMs),
    addedLatencyMs: over(({ own, bare }) => own.latencyMs - bare.latencyMs),
    latencyTimes: over(({ own, bare }) => own.latencyMs / bare.latencyMs),
    callsPerSecond: over(({ own }) => own.callsPerSecond),
    throughputTimes: over(({ own, bare }) => own.callsPerSecond / bare.callsPerSecond),
    cpuMsPerThousand: over(({ own }) => own.cpuMs * 1000),
    cpuTimes: over(({ own, bare }) => own.cpuMs / bare.cpuMs),
  };
}

/** Compares a contestant with another through the bare calls that both were paired with, round by round. */
export function versus(own: readonly Pair[], other: readonly Pair[]): Versus {
  const rounds = own.flatMap((pair, round) => {
    const beside = other[round];
    return beside ? [{ pair, beside }] : [];
  });
  const times = (of: (slice: Slice) => number) =>
    spread(rounds.map(({ pair, beside }) => of(pair.own) / of(pair.bare) / (of(beside.own) / of(beside.bare))));
  return {
    latency: times(({ latencyMs }) => latencyMs),
    cpu: times(({ cpuMs }) => cpuMs),
    addedLatencyMs: spread(
      rounds.map(
        ({ pair, beside }) => pair.own.latencyMs - pair.bare.latencyMs - (beside.own.latencyMs - beside.bare.latencyMs),
      ),
    ),
  };
}
