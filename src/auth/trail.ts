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

/** What the audit log is told of a request while the framework works on it. */
interface AuthRequest {
  origin: RequestOrigin;
  /** The account that was looked up last: at a sign-in, the one that the caller named. */
  accountId?: string;
}

const current = new AsyncLocalStorage<AuthRequest>();

/** Runs a request of the framework under our request id. The address and the user agent come from its headers, as for its sessions. */
export const runAuthRequest = <T>({ headers }: Request, requestId: string, work: () => Promise<T>): Promise<T> =>
  current.run({ origin: originOf(requestId, headers) }, work);

/** The request that is being worked on. Outside of one nothing of an account is changed by the framework. */
function authRequest(): AuthRequest {
  const request = current.getStore();
  if (!request) throw new Error("this runs within a request of the framework only");
  return request;
}

/** The caller of this request, who has shown no session. */
export const unknownActor = (): Actor => unauthenticated(authRequest().origin);

/** A person as the caller of this request, by a session once there is one. */
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

/** The id of the account that this request has looked up last, without a statement of its own. */
export const lookedUpAccount = (): string | undefined => authRequest().accountId;

/** What an event says beside whose account it is about; its organization is the personal one of that person. */
type Said = Pick<Happened, "event" | "actor"> & Partial<Happened>;

/** An event of an account, or of an address that has none: then nobody's organization shows it. `now` is in epoch milliseconds. */
export const accountEvent = (userId: string | undefined, said: Said, now: number): AuditEvent =>
  happened({ tenantId: userId === undefined ? null : personalTenantId(userId), target: userId ?? null, ...said }, now);
