import { KEY_SCOPES, type Scope } from "../../identity/scopes.ts";
import { isAdministrator } from "../../identity/standing.ts";
import type { KeyActor, KeyCommandDeps } from "../../keys/keys.ts";
import { AppError } from "../../platform/errors.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { sessionActor, type SignedIn } from "../frame/session.ts";

/** Dependencies of the commands on keys. */
export const keyDeps = ({ grants, flushOutbox }: Pick<WebDeps, "grants" | "flushOutbox">): KeyCommandDeps => ({
  db: grants.db,
  flushOutbox,
});

/**
 * The signed-in person as the actor of key commands: with every scope that a key can have, `admin` only for
 * administrators.
 */
export async function keyActor(c: PageContext, deps: WebDeps, person: SignedIn): Promise<KeyActor> {
  const administers = await isAdministrator(deps.db, person.userId);
  const scopes: ReadonlySet<Scope> = new Set(KEY_SCOPES.filter((scope) => administers || scope !== "admin"));
  return { ...sessionActor(c, person), scopes };
}

/** The result of a command; `pending` when the change is committed but not yet in Redis. */
export async function orPending<T>(command: Promise<T>): Promise<T | { state: "pending" }> {
  try {
    return await command;
  } catch (error) {
    if (error instanceof AppError && error.code === "revocation_pending") return { state: "pending" };
    throw error;
  }
}
