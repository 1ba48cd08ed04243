import { AsyncLocalStorage } from "node:async_hooks";

const current = new AsyncLocalStorage<{ fault?: unknown }>();

/**
 * Runs a request of the framework and throws the fault of Postgres that a look at a session, or the end of one, met on the way. Better Auth
 * swallows these: it takes the person for signed out, or calls a session ended that lives on.
 */
export async function withoutSessionFaults<T>(work: () => Promise<T>): Promise<T> {
  const seen: { fault?: unknown } = {};
  const result = await current.run(seen, work);
  if ("fault" in seen) throw seen.fault;
  return result;
}

/** One statement about sessions; a fault of it is kept for {@link withoutSessionFaults}. */
export async function aboutSessions<T>(statement: () => Promise<T>): Promise<T> {
  try {
    return await statement();
  } catch (error) {
    const seen = current.getStore();
    if (seen && !("fault" in seen)) seen.fault = error;
    throw error;
  }
}
