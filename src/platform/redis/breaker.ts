/** What a breaker lets through: everything, nothing, or one request that finds out. */
export type BreakerState = "closed" | "open" | "probing";

export interface BreakerSettings {
  /** So many faults within `withinMs` milliseconds open it. */
  faults: number;
  withinMs: number;
  /** Milliseconds for which nothing is let through; also how long a probe may take before the next one is sent. */
  openMs: number;
}

/** Remembers whether a part that others wait for answers. Plain data; every time is in milliseconds and must not come from a clock of its own. */
export interface Breaker {
  /** Whether a request may be sent now. Once it has been open for long enough, one caller is told yes: its request is the probe. */
  allows: (now: number) => boolean;
  /** A request was answered. Ends the probing; one that was sent before the breaker opened changes nothing. */
  succeeded: (now: number) => void;
  /** A request was not answered. True when this opened the breaker, so that it can be told once. */
  failed: (now: number) => boolean;
  state: (now: number) => BreakerState;
}

/**
 * A circuit breaker for one isolate (Nygard, Release It!, 5.2): after a few faults nobody waits for a part that is down, and nothing adds
 * to its load. A probe whose request is cut off reports nothing; the next one goes out after `openMs`.
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
