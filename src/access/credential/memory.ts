import { boundedMap } from "../../platform/bounded-map.ts";
import type { VersionedRecord } from "../record.ts";

/**
 * Records that an isolate has seen, by their Redis key. They are a cache only: each use is confirmed by Redis, or by
 * Postgres while Redis is away.
 */
export interface RecordMemory {
  get: (key: string) => VersionedRecord | undefined;
  /** `now` is when a store confirmed the record, in epoch milliseconds. */
  set: (key: string, record: VersionedRecord, now: number) => void;
  /** When a store last confirmed the record, in epoch milliseconds. */
  confirmedAt: (key: string) => number | undefined;
  forget: (key: string) => void;
}

/** Holds at most `max` records. The least recently confirmed ones are dropped first. */
export function recordMemory(max: number): RecordMemory {
  const known = boundedMap<{ record: VersionedRecord; at: number }>(max);
  return {
    get: (key) => known.get(key)?.record,
    set: (key, record, at) => known.set(key, { record, at }),
    confirmedAt: (key) => known.get(key)?.at,
    forget: known.delete,
  };
}
