/** What a breaker lets through: everything, nothing, or one request as a probe. */
export type BreakerState = "closed" | "open" | "probing";

export interface BreakerSettings {
  /** This many faults within `withinMs` milliseconds open the breaker. */
  faults: number;
  withinMs: number;
  /** How long nothing is let through, in milliseconds; also how long a probe may take before the next one is sent. */
  openMs: number;
}

/**
 * Tracks whether a dependency answers. It is plain data; all times are in milliseconds and must come from the same
 * clock.
 */
export interface Breaker {
  /**
   * Whether a request may be sent now. After the breaker was open for long enough, one caller gets true: its request is
   * the probe.
   */
  allows: (now: number) => boolean;
  /**
   * Reports that a request was answered. It closes the breaker after a probe; a request that was sent before it opened
   * changes nothing.
   */
  succeeded: (now: number) => void;
  /** Reports that a request was not answered. True when this opened the breaker, so that it is logged once. */
  failed: (now: number) => boolean;
  state: (now: number) => BreakerState;
}

/**
 * A circuit breaker for one isolate (Nygard, Release It!, 5.2): after a few faults, requests do not wait for a
 * dependency that is down, and add no load to it. A probe whose request is cut off reports nothing; the next one is
 * sent after `openMs`.
 */
export function createBreaker({ faults, withinMs, openMs }: BreakerSettings): Breaker {
  let recent: number[] = [];
  let openUntil: number | undefined;
  let probing = false;

  const isRecent = (now: number) => (at: number) => now - at < withinMs;

  return {
    allows(now) {
      if (openUntil === undefined) {
        recent = recent.filter(isRecent(now));
        return true;
      }
      if (now < openUntil) return false;
      probing = true;
      openUntil = now + openMs;
      return true;
    },
    succeeded() {
      if (!probing) return;
      probing = false;
      openUntil = undefined;
      recent = [];
    },
    failed(now) {
      if (openUntil !== undefined) {
        if (probing) openUntil = now + openMs;
        probing = false;
        return false;
      }
      recent = [...recent.filter(isRecent(now)), now];
      if (recent.length < faults) return false;
      openUntil = now + openMs;
      return true;
    },
    state(now) {
      if (openUntil === undefined) return "closed";
      return probing || now >= openUntil ? "probing" : "open";
    },
  };
}
