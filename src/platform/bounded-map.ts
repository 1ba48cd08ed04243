/**
 * A map with a maximum size. When it is full, the least recently set entries are removed first; reading an entry does
 * not keep it.
 */
export interface BoundedMap<T> {
  readonly size: number;
  get: (key: string) => T | undefined;
  has: (key: string) => boolean;
  set: (key: string, value: T) => void;
  delete: (key: string) => void;
  clear: () => void;
  /** The entries, least recently set first. */
  entries: () => IterableIterator<[key: string, value: T]>;
}

/**
 * Creates a map whose values together weigh at most `max`; each weighs 1 unless `weigh` says otherwise. A single value
 * that weighs more is not kept.
 */
export function boundedMap<T>(max: number, weigh: (value: T) => number = () => 1): BoundedMap<T> {
  const kept = new Map<string, T>();
  let weight = 0;

  function drop(key: string): void {
    const value = kept.get(key);
    if (value === undefined || !kept.delete(key)) return;
    weight -= weigh(value);
  }

  return {
    get size() {
      return kept.size;
    },
    get: (key) => kept.get(key),
    has: (key) => kept.has(key),
    set: (key, value) => {
      drop(key);
      kept.set(key, value);
      weight += weigh(value);
      for (const oldest of kept.keys()) {
        if (weight <= max) break;
        drop(oldest);
      }
    },
    delete: drop,
    clear: () => {
      kept.clear();
      weight = 0;
    },
    entries: () => kept.entries(),
  };
}

/** A bounded map whose entries expire. Times are epoch milliseconds. */
export interface ExpiringMap<T> {
  get: (key: string, now: number) => T | undefined;
  set: (key: string, value: T, now: number) => void;
  delete: (key: string) => void;
}

/** Creates a map of at most `max` entries. Each expires `ttlMs` milliseconds after it was set. */
export function expiringMap<T>(max: number, ttlMs: number): ExpiringMap<T> {
  const kept = boundedMap<{ value: T; at: number }>(max);
  return {
    get: (key, now) => {
      const entry = kept.get(key);
      return entry && now - entry.at < ttlMs ? entry.value : undefined;
    },
    set: (key, value, now) => kept.set(key, { value, at: now }),
    delete: kept.delete,
  };
}

/** Limits how often something happens for each key. */
export interface Throttle {
  /** Whether it may happen at `now` (epoch milliseconds). If so, it may not happen again until the interval is over. */
  passes: (key: string, now: number) => boolean;
  /** Allows it again immediately. */
  forget: (key: string) => void;
}

/** Creates a throttle: once every `everyMs` milliseconds per key, for the `max` keys that passed last. */
export function throttle(max: number, everyMs: number): Throttle {
  const passed = expiringMap<true>(max, everyMs);
  return {
    passes: (key, now) => {
      if (passed.get(key, now)) return false;
      passed.set(key, true, now);
      return true;
    },
    forget: passed.delete,
  };
}
