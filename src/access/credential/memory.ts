import { boundedMap } from "../../platform/bounded-map.ts";
import type { VersionedRecord } from "../record.ts";

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

/** At most `max` records: the ones that were confirmed least recently go first. */
export function recordMemory(max: number): RecordMemory {
  const known = boundedMap<{ record: VersionedRecord; at: number }>(max);
  return {
    get: (key) => known.get(key)?.record,
    set: (key, record, at) => known.set(key, { record, at }),
    confirmedAt: (key) => known.get(key)?.at,
    forget: known.delete,
  };
}
