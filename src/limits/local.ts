import { boundedMap } from "../platform/bounded-map.ts";
import { refilled, take, UNITS, type Bucket, type Limit, type Taken } from "./bucket.ts";

/** Buckets of one isolate: for limits that need no round trip, and for all limits while Redis cannot count. */
export interface LocalBuckets {
  take: (key: string, limit: Limit, now: number) => Taken;
  /** Milliseconds until a call is available; 0 when one is. Takes nothing. */
  waitFor: (key: string, limit: Limit, now: number) => number;
}

/** At most `max` buckets. Those unused for the longest time are dropped first, and are full again when used. */
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
