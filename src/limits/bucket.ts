/** How fast calls may come: `burst` at once, and `perMinute` in the long run. */
export interface Limit {
  perMinute: number;
  burst: number;
}

/** A token bucket: what is in it, in {@link UNITS} per call, and when that was so (epoch milliseconds). */
export interface Bucket {
  units: number;
  at: number;
}

/** Parts of a call. With so many, a millisecond refills exactly `perMinute` of them: all arithmetic stays in integers. */
export const UNITS = 60_000;

export type Taken = { taken: true; bucket: Bucket; remaining: number } | { taken: false; retryMs: number };

/** What a bucket holds at a moment. A clock that went back refills nothing and takes nothing away. */
export function refilled(bucket: Bucket | undefined, { perMinute, burst }: Limit, now: number): Bucket {
  const capacity = burst * UNITS;
  if (bucket === undefined) return { units: capacity, at: now };
  const at = Math.max(now, bucket.at);
  return { units: Math.min(capacity, bucket.units + (at - bucket.at) * perMinute), at };
}

/** Takes one call out of a bucket; a refusal takes nothing and says how long it is until there is one (milliseconds). */
export function take(bucket: Bucket | undefined, limit: Limit, now: number): Taken {
  const { units, at } = refilled(bucket, limit, now);
  if (units < UNITS) return { taken: false, retryMs: Math.ceil((UNITS - units) / limit.perMinute) };
  return { taken: true, bucket: { units: units - UNITS, at }, remaining: Math.floor(units / UNITS) - 1 };
}

/** How long an empty bucket needs to be full again, in whole seconds. */
export const windowSeconds = ({ perMinute, burst }: Limit) => Math.max(1, Math.ceil((burst * 60) / perMinute));
