import { uuidv7 } from "../platform/ids.ts";

/**
 * What the audit log records (R11), with a sentence for people. A new kind of event is a new line here and nothing else. Names are
 * `{noun}.{what happened}`; they are kept for years, so a name never changes its meaning.
 */
export const AUDIT_EVENTS = {
  "mcp.tools/call": "A tool was called.",
  "mcp.prompts/get": "A prompt was read.",
  "mcp.resources/read": "A resource was read.",
  "mcp.refused": "A request to an MCP endpoint was refused.",
  "api.refused": "A request to the management API was refused.",
  "key.created": "An API key was created.",
  "key.changed": "An API key's permissions, limits or details were changed.",
  "key.rotated": "An API key was replaced by a new one.",
  "key.revoked": "An API key was revoked.",
  "key.leaked": "An API key was reported as leaked and revoked.",
  "limits.changed": "An organization's limits were changed.",
  "registry.published": "A version of a server was published.",
  "registry.status_changed": "The status of a published server was changed.",
  "registry.visibility_changed": "A published server was made public or private.",
  "registry.gateway_changed": "The way that clients reach a published server was changed.",
  "registry.namespace_claimed": "An organization proved that it owns a namespace.",
  "registry.namespace_assigned": "An administrator assigned a namespace to an organization.",
  "registry.namespace_released": "An organization gave a namespace up.",
  "registry.view_created": "A private view of the registry was created.",
  "registry.view_rotated": "The secret of a private view was replaced.",
  "registry.view_deleted": "A private view was deleted.",
  "registry.view_used": "A private view was read, recorded at most once an hour for each address block.",
  "registry.source_added": "A registry to mirror was added.",
  "registry.source_changed": "The settings of a mirrored registry were changed.",
  "registry.source_removed": "A mirrored registry was removed.",
  // account, session
  "account.created": "An account was opened.",
  "account.email_verified": "The email address of an account was confirmed.",
  "account.signed_in": "A person signed in.",
  "account.sign_in_refused": "A sign-in was refused, recorded at most once a minute for each account or address block.",
  "account.signed_out": "A person signed out.",
  "session.ended": "A session was ended from elsewhere.",
  "account.password_changed": "A person changed their password.",
  "account.password_reset_requested":
    "A link to reset a password was asked for, recorded at most once a minute for each account or address block.",
  "account.password_reset": "A password was replaced through a link in a mail.",
  "account.email_change_requested": "A person asked to change their email address.",
  "account.email_changed": "The email address of an account was changed.",
  "account.provider_linked": "A sign-in provider was linked to an account.",
  "account.provider_unlinked": "A sign-in provider was unlinked from an account.",
  "account.deleted": "An account was deleted.",
} as const satisfies Record<string, string>;

export type AuditEventName = keyof typeof AUDIT_EVENTS;

/** With what somebody acts. `session`: a person in a browser. */
export type CredentialKind = "access_token" | "api_key" | "session" | "publisher_token" | "legacy_token";

/**
 * Who does something, with what, and from where: the one form in which every verb and every event knows it. Ids only: names change and
 * are looked up when the log is read. All is null of an unauthenticated caller but what the request says; see {@link unauthenticated}.
 */
export interface Actor {
  /** For a client that acts by itself, `client:{id}`. */
  userId: string | null;
  /** The organization in which they act; null where none is chosen: a session may act in all of a person's. */
  tenantId: string | null;
  credential: { kind: CredentialKind; id: string } | null;
  /** The OAuth client that holds the token. */
  clientId: string | null;
  requestId: string;
  ip: string | null;
  userAgent: string | null;
}

/** Somebody, a person or a client, who acts in an organization. */
export interface TenantActor extends Actor {
  userId: string;
  tenantId: string;
}

/** Where a request comes from: what is known of somebody who has shown no credential. */
export type ActorOrigin = Pick<Actor, "requestId" | "ip" | "userAgent">;

/** Somebody who has shown no credential, or none that works. */
export const unauthenticated = ({ requestId, ip, userAgent }: ActorOrigin): Actor => ({
  userId: null,
  tenantId: null,
  credential: null,
  clientId: null,
  requestId,
  ip,
  userAgent,
});

/** What an entry says beside its columns. It carries no arguments, results or secrets. */
export type AuditDetail = Readonly<Record<string, string | number | boolean>>;

/** `unknown`: it was about to happen, and its outcome was never written down. */
export type AuditOutcome = "ok" | "error" | "refused" | "unknown";

/** One thing that happened. Times are epoch milliseconds, durations milliseconds. */
export interface AuditEvent {
  id: string;
  at: number;
  event: AuditEventName;
  outcome: AuditOutcome;
  /** A stable code for outcomes other than `ok`. */
  code: string | null;
  actor: Actor;
  /** The organization that it concerns, whose log shows it; null: nobody's but the operator's. */
  tenantId: string | null;
  /** The id or name of what the event is about. */
  target: string | null;
  durationMs: number | null;
  detail: AuditDetail;
}

/** What is to be said of an event that no answer waits for; the rest has a default. */
export type Happened = Pick<AuditEvent, "event" | "actor" | "tenantId" | "target"> &
  Partial<Pick<AuditEvent, "outcome" | "code" | "detail">>;

/** An event that is recorded once it has happened. `now` is in epoch milliseconds. */
export const happened = ({ outcome = "ok", code = null, detail = {}, ...what }: Happened, now: number): AuditEvent => ({
  id: uuidv7(now),
  at: now,
  outcome,
  code,
  durationMs: null,
  detail,
  ...what,
});

const MAX_TEXT = 256;
// Control characters, bidirectional overrides and line separators: they forge lines and hide text where a log is displayed.
const UNSAFE =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff\u{e0000}-\u{e007f}]/gu;

/** Text from outside in a form that is safe to keep and show: control characters replaced, cut to 256 characters. */
export function auditText(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  return text.slice(0, MAX_TEXT).toWellFormed().replace(UNSAFE, "\ufffd");
}
