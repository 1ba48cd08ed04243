import { boundedMap } from "../platform/bounded-map.ts";
import { refilled, take, UNITS, type Bucket, type Limit, type Taken } from "./bucket.ts";

/** Buckets of one isolate: what can be counted without a round trip, and what is left while Redis cannot count. */
export interface LocalBuckets {
  take: (key: string, limit: Limit, now: number) => Taken;
  /** Milliseconds until there is something to take; 0 when there is. Takes nothing. */
  waitFor: (key: string, limit: Limit, now: number) => number;
}

/** At most `max` buckets: the ones that nothing was taken from for the longest time go first, full again. */
export function localBuckets(max: number): LocalBuckets {
  const buckets = boundedMap<Bucket>(max);
  return {
    take: (key, limit, now) => {
      const taken = take(buckets.get(key), limit, now);
      if (!taken.taken) return taken;
      buckets.set(key, taken.bucket);
      return taken;
    },
    waitFor: (key, limit, now) => {
      const { units } = refilled(buckets.get(key), limit, now);
      return units >= UNITS ? 0 : Math.ceil((UNITS - units) / limit.perMinute);
    },
  };
}
