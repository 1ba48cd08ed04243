/**
 * Runs work that heeds an abort signal for at most `ms` milliseconds; rejects with a `TimeoutError` after that. Unlike `AbortSignal.timeout` it
 * leaves no timer behind when the work is done: the platform bounds how many there may be.
 */
export async function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new DOMException("The time is up.", "TimeoutError")), ms);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
  }
}
