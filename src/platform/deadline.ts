/** The work exceeded its deadline. */
export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
}

/**
 * Runs work that obeys an abort signal for at most `ms` milliseconds, then throws {@link DeadlineExceeded}. Unlike
 * `AbortSignal.timeout` it leaves no timer behind when the work is done: the platform limits the number of timers.
 */
export async function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms);
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? new DeadlineExceeded(`No answer within ${ms} ms.`, { cause: error }) : error;
  } finally {
    clearTimeout(timer);
  }
}
