import { boundedMap, type BoundedMap } from "../../platform/bounded-map.ts";
import type { AddressRange } from "../../platform/ip.ts";

/** A rendered answer. `at` is when its data was read, in epoch milliseconds. */
export interface KeptAnswer {
  body: string;
  /** A strong ETag, including its quotes (RFC 9110 §8.8.3). */
  etag: string;
  at: number;
  /** The tenant's epoch when the data was read; undefined if not known. */
  epoch: number | undefined;
}

/** How long a cached answer is used without asking Postgres, in milliseconds: for public answers and for a tenant's. */
export const FRESH_MS = { public: 10_000, tenant: 5_000 } as const;
/** How long a cached answer is used while Postgres does not answer, in milliseconds. */
export const STALE_MS = 86_400_000;

/** The rendered answers of one isolate, as plain data. The oldest are removed first. */
export interface AnswerCache {
  fresh: (key: string, wanted: { now: number; maxAgeMs: number; epoch?: number | undefined }) => KeptAnswer | undefined;
  /** An answer of any age up to {@link STALE_MS}, for use while Postgres does not answer. */
  stale: (key: string, now: number) => KeptAnswer | undefined;
  put: (key: string, answer: KeptAnswer) => void;
  /** Call it after a change: answers read up to `now` are no longer fresh. */
  expire: (now: number) => void;
}

/**
 * Creates a cache of at most `maxUnits` UTF-16 units of bodies. A body of more than an eighth of that is not cached.
 */
export function answerCache(maxUnits: number): AnswerCache {
  const kept = boundedMap<KeptAnswer>(maxUnits, ({ body }) => body.length);
  let expiredAt = -Infinity;

  return {
    fresh: (key, { now, maxAgeMs, epoch }) => {
      const answer = kept.get(key);
      if (!answer || answer.at <= expiredAt || now - answer.at >= maxAgeMs) return undefined;
      return epoch === undefined || answer.epoch === epoch ? answer : undefined;
    },
    stale: (key, now) => {
      const answer = kept.get(key);
      return answer && now - answer.at < STALE_MS ? answer : undefined;
    },
    put: (key, answer) => {
      if (answer.body.length > maxUnits / 8) kept.delete(key);
      else kept.set(key, answer);
    },
    expire: (now) => {
      expiredAt = now;
    },
  };
}

/** What is needed to check requests to a private view. Times are epoch milliseconds. */
export interface ViewAccess {
  id: string;
  tenantId: string;
  addresses: readonly AddressRange[] | null;
  endsAt: number | null;
}

/** What an isolate caches of the registry. */
export interface RegistryMemory {
  answers: AnswerCache;
  /** Private views by the hash of their secret; `at` is when each was read. */
  views: BoundedMap<{ view: ViewAccess; at: number }>;
  /** Until this time, in epoch milliseconds, stale answers are used without asking Postgres. */
  downUntil: number;
}

const MAX_UNITS = 8_000_000;
const MAX_VIEWS = 1_000;

/** Creates an empty cache. Each isolate has one. */
export const registryMemory = (): RegistryMemory => ({
  answers: answerCache(MAX_UNITS),
  views: boundedMap(MAX_VIEWS),
  downUntil: 0,
});

/** Caches a private view. When the cache is full, the oldest one is removed. */
export function rememberView({ views }: RegistryMemory, hash: string, view: ViewAccess, now: number): void {
  views.set(hash, { view, at: now });
}

/** Clears the cached private views. Call it after a view was rotated or deleted. */
export function forgetViews({ views }: RegistryMemory): void {
  views.clear();
}
