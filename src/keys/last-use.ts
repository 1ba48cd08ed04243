import { sql } from "drizzle-orm";
import type { Companion } from "../audit/journal.ts";
import { boundedMap, throttle } from "../platform/bounded-map.ts";

/** How exact the time of the last use is, in milliseconds. */
const EVERY_MS = 60_000;
const MAX_KEYS = 5_000;

/** Times of last use that are not in Postgres yet. */
export interface LastUses extends Companion {
  /**
   * Notes a use at `at` (epoch milliseconds), once a minute for each key. Returns whether this use is to be written.
   */
  note: (keyId: string, at: number) => boolean;
}

/** Collects the last uses of keys in this isolate. Never replaces a later time in Postgres. */
export function lastUses(): LastUses {
  const newUses = () => boundedMap<number>(MAX_KEYS);
  const due = throttle(MAX_KEYS, EVERY_MS);
  let uses = newUses();
  return {
    note: (keyId, at) => {
      const isDue = due.passes(keyId, at);
      if (isDue) uses.set(keyId, at);
      return isDue;
    },
    take: () => {
      if (uses.size === 0) return undefined;
      const taken = [...uses.entries()].map(([id, at]) => ({ id, at: new Date(at).toISOString() }));
      uses = newUses();
      const write = sql`
        update apikey set last_request = u.at at time zone 'utc'
        from jsonb_to_recordset(${JSON.stringify(taken)}::jsonb) as u(id text, at timestamptz)
        where apikey.id = u.id and (last_request is null or last_request < u.at at time zone 'utc')`;
      // A use that could not be written is not kept: the key's next use is later and is written instead.
      return { write, giveBack: () => taken.forEach(({ id }) => due.forget(id)) };
    },
  };
}
