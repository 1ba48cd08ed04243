import { setTimeout as delay } from "node:timers/promises";
import type { Running } from "./contestants.ts";
import type { KvStub } from "./kv.ts";
import { paced, prime } from "./load.ts";
import { quantile } from "./statistics.ts";
import type { BenchStack } from "./stack.ts";

/** Requests to the stores for one warm call. */
export interface Trips {
  redis: number;
  sql: number;
  kv: number;
}

export interface CountedTrips {
  /** What the answer waited for. */
  beforeAnswer: Trips;
  /** How many of those one after another. */
  inSequence: number;
  /** What came later, at {@link PACE} calls a second. */
  afterAnswer: Trips;
}

/** Calls a second while the work after the answers is counted: some of it is done for several calls at once. */
const PACE = 50;

const SINGLE_CALLS = 5;
const SLOW_MS = 60;

/**
 * Counts a contestant's round trips. For those before the answer every store is slow: what the answer waited for arrived at
 * least that long before it, what was sent beside or after it did not. For those after it calls come at a steady rate for some
 * `seconds`; then `drainMs` is left for what is still to come.
 */
export async function countTrips(
  running: Running,
  { stack, kv, seconds, drainMs }: { stack: BenchStack; kv: KvStub; seconds: number; drainMs: number },
): Promise<CountedTrips> {
  const { caller } = running;
  const take = async () => {
    const { log } = await stack.takeStats();
    const at = (target: string) => log.filter(({ to }) => to === target).map((entry) => entry.at);
    return { redis: at("upstash"), sql: at("neon"), kv: kv.taken() };
  };
  await prime(caller);
  await delay(drainMs);

  const calls: { trips: Trips; inSequence: number }[] = [];
  await stack.setLatency({ postgres: SLOW_MS, redis: SLOW_MS });
  kv.setLatency(SLOW_MS);
  for (let i = 0; i < SINGLE_CALLS; i++) {
    await take();
    const startedAt = performance.now();
    await caller.call();
    const answeredAt = performance.now();
    const awaited = performance.timeOrigin + answeredAt - SLOW_MS / 2;
    const before = (arrivals: readonly number[]) => arrivals.filter((arrival) => arrival < awaited).length;
    const taken = await take();
    calls.push({
      trips: { redis: before(taken.redis), sql: before(taken.sql), kv: before(taken.kv) },
      inSequence: Math.floor((answeredAt - startedAt) / SLOW_MS),
    });
    await delay(2 * SLOW_MS);
  }
  await stack.setLatency({ postgres: 0, redis: 0 });
  kv.setLatency(0);

  const middle = (value: (call: (typeof calls)[number]) => number) => quantile(calls.map(value), 0.5);
  const beforeAnswer = {
    redis: middle(({ trips }) => trips.redis),
    sql: middle(({ trips }) => trips.sql),
    kv: middle(({ trips }) => trips.kv),
  };
  await prime(caller);
  await delay(drainMs);
  await take();
  const many = PACE * seconds;
  await paced(caller, PACE, many);
  await delay(drainMs);
  const all = await take();
  const later = (store: keyof Trips) => Math.max(0, all[store].length / many - beforeAnswer[store]);
  return {
    beforeAnswer,
    inSequence: middle(({ inSequence }) => inSequence),
    afterAnswer: { redis: later("redis"), sql: later("sql"), kv: later("kv") },
  };
}
