import { boundedMap } from "../platform/bounded-map.ts";
import { visitorKey } from "../platform/ip.ts";
import type { Actor, AuditEvent } from "./event.ts";

export interface TallyLimits {
  /** How long further occurrences are counted after a recorded one, in milliseconds. */
  windowMs: number;
  /** How many combinations of event and caller are counted separately. */
  maxKeys: number;
  /** Most entries per minute in total. */
  rowsPerMinute: number;
}

/**
 * Counts events that a caller can cause in any number, such as requests over a limit and wrong passwords. The first
 * occurrence of an event with a code from one caller is recorded at once. All that follow within the window become one
 * entry at its end, with `count` in its detail.
 */
export interface Tally {
  /**
   * Counts an event. Returns the entries to record now: this event, if it is the first of its window, and those of
   * windows that have ended.
   */
  count: (event: AuditEvent, who?: string) => AuditEvent[];
  /** The entries of windows that have ended at `now`, in epoch milliseconds. */
  due: (now: number) => AuditEvent[];
  /** How many occurrences were dropped since the last call, because the limit of entries was reached. */
  givenUp: () => number;
}

/** The number of occurrences without an entry, and the last of them. */
interface Window {
  endsAt: number;
  waiting: number;
  last: AuditEvent;
}

const MINUTE_MS = 60_000;

/** Creates the tally of one isolate. It holds at most `maxKeys` events. */
export function tally({ windowMs, maxKeys, rowsPerMinute }: TallyLimits): Tally {
  // All windows have the same length, so the first one in the map ends first.
  const windows = boundedMap<Window>(maxKeys);
  let minute = { startsAt: -Infinity, rows: 0 };
  let lost = 0;

  function takeRow(now: number): boolean {
    if (now - minute.startsAt >= MINUTE_MS) minute = { startsAt: now, rows: 0 };
    if (minute.rows >= rowsPerMinute) return false;
    minute.rows += 1;
    return true;
  }

  /** Removes a window and returns its entry: none when nothing waits in it or the limit of entries is reached. */
  function end(key: string, { waiting, last }: Window, now: number): AuditEvent[] {
    windows.delete(key);
    if (waiting === 0) return [];
    if (!takeRow(now)) {
      lost += waiting;
      return [];
    }
    return [{ ...last, detail: { ...last.detail, count: waiting } }];
  }

  function due(now: number): AuditEvent[] {
    const entries: AuditEvent[] = [];
    for (const [key, window] of windows.entries()) {
      if (window.endsAt > now) break;
      entries.push(...end(key, window, now));
    }
    return entries;
  }

  return {
    due,
    count: (event, who = callerOf(event.actor)) => {
      const now = event.at;
      const entries = due(now);
      const key = `${event.event} ${event.code ?? ""} ${who}`;
      const window = windows.get(key);
      // Windows end in their order as long as the clock does not go back.
      if (window && window.endsAt <= now) entries.push(...end(key, window, now));
      else if (window) {
        window.waiting += 1;
        window.last = event;
        return entries;
      }
      const [oldest] = windows.entries();
      if (windows.size >= maxKeys && oldest) entries.push(...end(...oldest, now));
      const isRecorded = takeRow(now);
      windows.set(key, { endsAt: now + windowMs, waiting: isRecorded ? 0 : 1, last: event });
      return isRecorded ? [...entries, event] : entries;
    },
    givenUp: () => {
      const events = lost;
      lost = 0;
      return events;
    },
  };
}

/** Identifies a caller by credential, user, or address block (an IPv6 customer has a whole block). */
const callerOf = ({ credential, userId, ip }: Actor): string => credential?.id ?? userId ?? visitorKey(ip);
