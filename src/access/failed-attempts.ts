import type { Limit } from "../limits/bucket.ts";
import type { LocalBuckets } from "../limits/local.ts";
import { visitorKey } from "../platform/ip.ts";
import type { AccessRefusal } from "./refusal.ts";

/** Counts failed requests by address, in this isolate and without I/O. It limits the address, never an account. */
export interface FailedAttempts {
  /** The refusal of an address that has failed too often; undefined while the address may try. */
  refusalOf: (address: string | null, now: number) => AccessRefusal | undefined;
  failed: (address: string | null, now: number) => void;
}

export function failedAttempts(local: LocalBuckets, limit: Limit): FailedAttempts {
  const bucketOf = (address: string | null) => `address:${visitorKey(address)}`;
  return {
    refusalOf: (address, now) => {
      const retryMs = local.waitFor(bucketOf(address), limit, now);
      return retryMs === 0
        ? undefined
        : { kind: "rate_limited", tier: "address", retryMs, limits: [{ tier: "address", limit, remaining: 0 }] };
    },
    failed: (address, now) => void local.take(bucketOf(address), limit, now),
  };
}
