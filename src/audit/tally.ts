import { addressBlock } from "../platform/ip.ts";
import type { AuditEvent } from "./event.ts";

/** For events that somebody can cause without end: written down once in a while, and counted in between. */
export interface Tally {
  count: (event: AuditEvent) => void;
}

/** From one entry to the next about the same thing. */
const WINDOW_MS = 60_000;
/** Things that are counted at the same time; the one that was seen first is forgotten first, with its count. */
const MAX_KEYS = 5_000;
/** Entries of one isolate in a minute, whoever causes them. */
const MAX_ROWS = 120;

interface Seen {
  /** When the last entry was written. */
  writtenAt: number;
  /** Events since then. */
  count: number;
}

/**
 * Records an event when it is the first of its kind, code and cause (the user, else the target, else the network block) within a minute. Others
 * are counted; the next entry carries as `count` how many events it stands for. Entries of one isolate are bounded, too.
 */
export function createTally(record: (event: AuditEvent) => void): Tally {
  const seen = new Map<string, Seen>();
  let minute = 0;
  let rows = 0;

  function mayWrite(at: number): boolean {
    const current = Math.floor(at / WINDOW_MS);
    if (current !== minute) [minute, rows] = [current, 0];
    return rows < MAX_ROWS;
  }

  function remember(key: string, entry: Seen): void {
    seen.delete(key);
    if (seen.size >= MAX_KEYS) seen.delete(seen.keys().next().value ?? "");
    seen.set(key, entry);
  }

  return {
    count: (event) => {
      const key = keyOf(event);
      const known = seen.get(key) ?? { writtenAt: -Infinity, count: 0 };
      const count = known.count + 1;
      if (event.at - known.writtenAt < WINDOW_MS || !mayWrite(event.at)) return remember(key, { ...known, count });
      rows += 1;
      remember(key, { writtenAt: event.at, count: 0 });
      record(count === 1 ? event : { ...event, detail: { ...event.detail, count } });
    },
  };
}

const keyOf = ({ event, code, actor, target }: AuditEvent) =>
  [event, code ?? "", actor.userId ?? target ?? addressBlock(actor.ip ?? "") ?? "unknown"].join("\n");
