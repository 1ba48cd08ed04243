import { isActive, isAdministratorRole, personalTenantId } from "../../identity/standing.ts";
import type { Actor, ChangedBy, KnownActor } from "../../audit/event.ts";
import { AppError } from "../../platform/errors.ts";
import { originOf } from "../../platform/http.ts";
import { requestAuth, textOf } from "./auth-request.ts";
import type { PageContext, WebDeps } from "./deps.ts";

/** The person who is signed in with this browser. */
export interface SignedIn {
  userId: string;
  name: string;
  email: string;
  /** Whether the person administers the gateway. */
  isAdministrator: boolean;
  /** The session of this browser. */
  sessionId: string;
  /** The active tenant of the session. A grant that is given now is for this tenant. */
  tenantId: string;
}

/** The error for requests that Better Auth's rate limiter refused. `retryAfter` is in seconds. */
export const tooManyRequests = (retryAfter: number) =>
  new AppError("unavailable", "Too many requests from your network. Wait a moment, then reload this page.", {
    headers: { "retry-after": String(retryAfter) },
  });

/**
 * The person who is signed in, or undefined. Better Auth accepts a cached session for up to a minute. With `fresh` it
 * reads the session from the database, so that a session revoked elsewhere grants nothing. Undefined for a banned
 * person too.
 */
export async function signedIn(
  c: PageContext,
  deps: Pick<WebDeps, "config" | "auth">,
  { fresh = false }: { fresh?: boolean } = {},
): Promise<SignedIn | undefined> {
  if (!c.req.header("cookie")?.includes("mrg.session_token=")) return undefined;
  const { status, body, retryAfter } = await requestAuth(
    c,
    deps,
    `/get-session${fresh ? "?disableCookieCache=true" : ""}`,
  );
  if (status === 429) throw tooManyRequests(retryAfter);
  const user: unknown = body["user"];
  if (typeof user !== "object" || user === null) return undefined;
  const record = { ...user };
  const session = { ...(body["session"] as object | null | undefined) };
  const userId = textOf(record, "id");
  if (userId === undefined || !isActive(record, Date.now())) return undefined;
  return {
    userId,
    name: textOf(record, "name") ?? "",
    email: textOf(record, "email") ?? "",
    isAdministrator: isAdministratorRole(textOf(record, "role")),
    sessionId: textOf(session, "id") ?? "",
    tenantId: textOf(session, "activeOrganizationId") ?? personalTenantId(userId),
  };
}

/**
 * The signed-in person as the actor of a change, for commands and the audit log. A session acts in all organizations of
 * its person.
 */
export const sessionActor = (c: PageContext, { userId, sessionId }: Pick<SignedIn, "userId" | "sessionId">) =>
  ({
    userId,
    tenantId: null,
    credential: { kind: "session" as const, id: sessionId },
    clientId: null,
    ...originOf(c.get("requestId"), c.req.raw.headers),
  }) satisfies Actor;

/** The signed-in person as the actor of a change, with the current time. */
export const changedBy = (c: PageContext, person: Pick<SignedIn, "userId" | "sessionId">): ChangedBy<KnownActor> => ({
  actor: sessionActor(c, person),
  now: Date.now(),
});
