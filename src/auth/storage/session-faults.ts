import { AsyncLocalStorage } from "node:async_hooks";

const current = new AsyncLocalStorage<{ fault?: unknown }>();

/**
 * Runs a request of the framework, and throws a failure of Postgres that occurred while a session was read or ended.
 * Better Auth swallows these: it treats the person as signed out, or reports a session as ended that is not.
 */
export async function withoutSessionFaults<T>(work: () => Promise<T>): Promise<T> {
  const seen: { fault?: unknown } = {};
  const result = await current.run(seen, work);
  if ("fault" in seen) throw seen.fault;
  return result;
}

/** Runs one statement about sessions. A failure is kept for {@link withoutSessionFaults}. */
export async function aboutSessions<T>(statement: () => Promise<T>): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    const seen = current.getStore();
    if (seen && !("fault" in seen)) seen.fault = error;
    throw error;
  }
}
