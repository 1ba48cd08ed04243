import { boundedMap, type BoundedMap } from "../../platform/bounded-map.ts";
import type { AddressRange } from "../../platform/ip.ts";

/** A rendered answer. `at` is when it was read, in epoch milliseconds. */
export interface KeptAnswer {
  body: string;
  /** Strong, with its quotes (RFC 9110 §8.8.3). */
  etag: string;
  at: number;
  /** The tenant's epoch when it was read; undefined: not known. */
  epoch: number | undefined;
}

/** How long an answer may be given again without a look: everybody's, and a tenant's own. */
export const FRESH_MS = { public: 10_000, tenant: 5_000 } as const;
/** How long an answer stands in while Postgres does not answer. */
export const STALE_MS = 86_400_000;

/** Rendered answers of one isolate: plain data, whose oldest goes first. */
export interface AnswerCache {
  fresh: (key: string, wanted: { now: number; maxAgeMs: number; epoch?: number | undefined }) => KeptAnswer | undefined;
  /** An answer of whatever age, up to {@link STALE_MS}: better than none while Postgres does not answer. */
  stale: (key: string, now: number) => KeptAnswer | undefined;
  put: (key: string, answer: KeptAnswer) => void;
  /** After a change: nothing that was read until `now` is fresh any more. */
  expire: (now: number) => void;
}

/** At most `maxUnits` UTF-16 units of bodies; one that would take more than an eighth of that is not kept. */
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

/** A private view as its requests are checked. Times are epoch milliseconds. */
export interface ViewAccess {
  id: string;
  tenantId: string;
  addresses: readonly AddressRange[] | null;
  endsAt: number | null;
}

/** What an isolate keeps of the registry. */
export interface RegistryMemory {
  answers: AnswerCache;
  /** Private views by the hash of their secret, with when each was read. */
  views: BoundedMap<{ view: ViewAccess; at: number }>;
  /** Until then Postgres is not asked again where an older answer can stand in. */
  downUntil: number;
}

const MAX_UNITS = 8_000_000;
const MAX_VIEWS = 1_000;

/** An empty memory, one for each isolate. */
export const registryMemory = (): RegistryMemory => ({
  answers: answerCache(MAX_UNITS),
  views: boundedMap(MAX_VIEWS),
  downUntil: 0,
});

/** Remembers a private view; the oldest is forgotten when there are many. */
export function rememberView({ views }: RegistryMemory, hash: string, view: ViewAccess, now: number): void {
  views.set(hash, { view, at: now });
}

/** After a change of private views, or of who may use one. */
export function forgetViews({ views }: RegistryMemory): void {
  views.clear();
}
