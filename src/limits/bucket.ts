/** A rate limit: at most `burst` calls at once, and `perMinute` in the long run. */
export interface Limit {
  perMinute: number;
  burst: number;
}

/** A token bucket: its content in {@link UNITS} per call, and the time of that content (epoch milliseconds). */
export interface Bucket {
  units: number;
  at: number;
}

/** Units per call. A millisecond then refills exactly `perMinute` units, so all arithmetic is in integers. */
export const UNITS = 60_000;

export type Taken = { taken: true; bucket: Bucket; remaining: number } | { taken: false; retryMs: number };

/** The bucket at time `now`. When the clock went back, nothing is refilled and nothing is taken away. */
export function refilled(bucket: Bucket | undefined, { perMinute, burst }: Limit, now: number): Bucket {
  const capacity = burst * UNITS;
  if (bucket === undefined) return { units: capacity, at: now };
  const at = Math.max(now, bucket.at);
  return { units: Math.min(capacity, bucket.units + (at - bucket.at) * perMinute), at };
}

/** Takes one call from a bucket. A refusal takes nothing and returns the milliseconds until a call is available. */
export function take(bucket: Bucket | undefined, limit: Limit, now: number): Taken {
  const { units, at } = refilled(bucket, limit, now);
  if (units < UNITS) return { taken: false, retryMs: Math.ceil((UNITS - units) / limit.perMinute) };
  return { taken: true, bucket: { units: units - UNITS, at }, remaining: Math.floor(units / UNITS) - 1 };
}

/** How many seconds an empty bucket needs to be full, rounded up. */
export const windowSeconds = ({ perMinute, burst }: Limit) => Math.max(1, Math.ceil((burst * 60) / perMinute));
