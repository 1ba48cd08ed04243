import type { VersionedRecord } from "./record.ts";

/**
 * Records that an isolate has seen, by their Redis key. No authority: each use is confirmed by Redis, or by Postgres while Redis is away.
 */
export interface RecordMemory {
  get: (key: string) => VersionedRecord | undefined;
  /** `now` is when a store said so, epoch milliseconds. */
  set: (key: string, record: VersionedRecord, now: number) => void;
  /** When a store last said that the record is so. */
  confirmedAt: (key: string) => number | undefined;
  forget: (key: string) => void;
}

/** At most `max` records: the ones that came first go first. */
export function recordMemory(max: number): RecordMemory {
  const known = new Map<string, { record: VersionedRecord; at: number }>();
  return {
    get: (key) => known.get(key)?.record,
    set: (key, record, at) => {
      if (known.size >= max && !known.has(key)) known.delete(known.keys().next().value ?? "");
      known.set(key, { record, at });
    },
    confirmedAt: (key) => known.get(key)?.at,
    forget: (key) => void known.delete(key),
  };
}
