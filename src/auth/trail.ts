import { AsyncLocalStorage } from "node:async_hooks";
import {
  happened,
  unauthenticated,
  type Actor,
  type AuditEvent,
  type Happened,
  type KnownActor,
} from "../audit/event.ts";
import { personalTenantId } from "../identity/standing.ts";
import { originOf, type RequestOrigin } from "../platform/http.ts";

/** What the audit log needs to know about a request while the framework handles it. */
interface AuthRequest {
  origin: RequestOrigin;
  /** The account that was looked up last. At a sign-in, this is the one that the caller named. */
  accountId?: string;
}

const current = new AsyncLocalStorage<AuthRequest>();

/**
 * Runs a request of the framework under our request id. Address and user agent come from its headers, as for its
 * sessions.
 */
export const runAuthRequest = <T>({ headers }: Request, requestId: string, work: () => Promise<T>): Promise<T> =>
  current.run({ origin: originOf(requestId, headers) }, work);

/** The current request. The framework changes accounts only within one. */
function authRequest(): AuthRequest {
  const request = current.getStore();
  if (!request) throw new Error("this can run only within a request of the framework");
  return request;
}

/** The caller of this request as an unauthenticated actor. */
export const unknownActor = (): Actor => unauthenticated(authRequest().origin);

/** A person as the caller of this request, with a session once there is one. */
export const personActor = (userId: string, sessionId: string | null = null): KnownActor => ({
  ...unknownActor(),
  userId,
  credential: sessionId === null ? null : { kind: "session", id: sessionId },
});

/** Remembers an account that the framework has looked up, for {@link lookedUpAccount}. */
export function noteAccount(row: unknown): void {
  const request = current.getStore();
  const { id } = { id: undefined, ...(row as object | null) };
  if (request && typeof id === "string") request.accountId = id;
}

/** The id of the account that this request looked up last. Sends no statement. */
export const lookedUpAccount = (): string | undefined => authRequest().accountId;

/** The parts of an account event besides its account. Its organization is the personal one of that person. */
type Said = Pick<Happened, "event" | "actor"> & Partial<Happened>;

/**
 * An event about an account. Without an account, such as for an unknown address, no organization shows it. `now` is in
 * epoch milliseconds.
 */
export const accountEvent = (userId: string | undefined, said: Said, now: number): AuditEvent =>
  happened({ tenantId: userId === undefined ? null : personalTenantId(userId), target: userId ?? null, ...said }, now);
