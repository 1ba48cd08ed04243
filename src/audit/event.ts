import { uuidv7 } from "../platform/crypto.ts";

/**
 * The events of the audit log, each with a text for people. A new kind of event is one new line here. Names are
 * `{noun}.{what happened}`. They are stored for years, so the meaning of a name never changes.
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
  "registry.namespace_proved": "An organization proved that it owns a namespace.",
  "registry.namespace_assigned": "An administrator assigned a namespace to an organization.",
  "registry.namespace_released": "An organization gave a namespace up.",
  "registry.view_created": "A private view of the registry was created.",
  "registry.view_rotated": "The secret of a private view was replaced.",
  "registry.view_deleted": "A private view was deleted.",
  "registry.view_used": "A private view was read, recorded at most once an hour for each address block.",
  "registry.source_added": "A registry to mirror was added.",
  "registry.source_changed": "The settings of a mirrored registry were changed.",
  "registry.source_removed": "A mirrored registry was removed.",
  // client
  "client.registered": "An OAuth client registered itself.",
  "client.discovered": "An OAuth client was seen for the first time, by its metadata document.",
  "client.created": "An administrator created an OAuth client.",
  "client.changed": "An administrator changed an OAuth client.",
  "client.disabled": "An administrator disabled an OAuth client.",
  "client.enabled": "An administrator enabled an OAuth client.",
  "client.secret_rotated": "An administrator replaced the secret of an OAuth client.",
  "client.deleted": "An administrator deleted an OAuth client.",
  // consent, app, grant, token
  "consent.given": "A person allowed an app or a device to act for them.",
  "consent.denied": "A person did not allow an app or a device to act for them.",
  "app.disconnected": "A person disconnected an app, which withdrew its access.",
  "grant.ended": "A grant was ended because its code or refresh token was used again.",
  "token.revoked": "An app revoked its refresh token, which ended the grant.",
  // organization, invitation, member
  "organization.created": "An organization was created.",
  "organization.deleted": "An organization was deleted with the account of its last member.",
  "invitation.sent": "A person was invited to an organization.",
  "invitation.withdrawn": "An invitation was withdrawn.",
  "invitation.accepted": "An invitation was accepted.",
  "invitation.declined": "An invitation was declined.",
  "member.removed": "A member was removed from an organization.",
  "member.left": "A member left an organization.",
  "member.role_changed": "A member of an organization was given another role.",
  // user: acts of an administrator
  "user.banned": "An administrator banned a person.",
  "user.unbanned": "An administrator lifted the ban of a person.",
  "user.role_changed": "An administrator changed the role of a person on this gateway.",
  "user.changed": "An administrator changed the details of a person.",
  "user.password_set": "An administrator set the password of a person.",
  "user.impersonated": "An administrator began to act as a person.",
  "user.sessions_ended": "An administrator ended all sessions of a person.",
  // account, session
  "account.created": "An account was opened.",
  "account.email_verified": "The email address of an account was confirmed.",
  "account.signed_in": "A person signed in.",
  "account.sign_in_refused": "A sign-in was refused, recorded at most once a minute for each account or address block.",
  "account.signed_out": "A person signed out.",
  "session.ended": "A session was ended from elsewhere.",
  "account.password_changed": "A person changed their password.",
  "account.password_reset_requested":
    "A link to reset a password was requested, recorded at most once a minute for each account or address block.",
  "account.password_reset": "A password was replaced through a link in an email.",
  "account.email_change_requested": "A person asked to change their email address.",
  "account.email_changed": "The email address of an account was changed.",
  "account.provider_linked": "A sign-in provider was linked to an account.",
  "account.provider_unlinked": "A sign-in provider was unlinked from an account.",
  "account.deleted": "An account was deleted.",
} as const satisfies Record<string, string>;

export type AuditEventName = keyof typeof AUDIT_EVENTS;

/** The kind of credential that somebody acts with. `session`: a person in a browser. */
export type CredentialKind = "access_token" | "api_key" | "session" | "publisher_token" | "legacy_token";

/**
 * Who does something, with which credential, and from where: the same form in all commands and events. It has ids only;
 * names change and are looked up when the log is read. For an unauthenticated caller only the fields of the request are
 * set; see {@link unauthenticated}.
 */
export interface Actor {
  /** For a client that acts by itself, `client:{id}`. */
  userId: string | null;
  /**
   * The organization in which they act; null if none is chosen, as a session can act in all organizations of a person.
   */
  tenantId: string | null;
  credential: { kind: CredentialKind; id: string } | null;
  /** The OAuth client that holds the token. */
  clientId: string | null;
  requestId: string;
  ip: string | null;
  userAgent: string | null;
}

/** A person or a client that is authenticated. */
export interface KnownActor extends Actor {
  userId: string;
}

/** An authenticated actor in an organization. */
export interface TenantActor extends KnownActor {
  tenantId: string;
}

/** Where a request comes from: all that is known of an unauthenticated caller. */
export type ActorOrigin = Pick<Actor, "requestId" | "ip" | "userAgent">;

/** The actor for a caller who has shown no credential, or none that works. */
export const unauthenticated = ({ requestId, ip, userAgent }: ActorOrigin): Actor => ({
  userId: null,
  tenantId: null,
  credential: null,
  clientId: null,
  requestId,
  ip,
  userAgent,
});

/** Who makes a change, and when (epoch milliseconds), for the audit entry that the statement of the change writes. */
export interface ChangedBy<Who extends Actor = Actor> {
  actor: Who;
  now: number;
}

/** Further facts of an entry. Never arguments, results or secrets. */
export type AuditDetail = Readonly<Record<string, string | number | boolean>>;

/** `unknown`: an intent was written, but its outcome never was. */
export type AuditOutcome = "ok" | "error" | "refused" | "unknown";

/** One thing that happened. Times are epoch milliseconds, durations milliseconds. */
export interface AuditEvent {
  id: string;
  at: number;
  event: AuditEventName;
  outcome: AuditOutcome;
  /** A stable code; null for the outcome `ok`. */
  code: string | null;
  actor: Actor;
  /** The organization whose log shows the entry; null: only the operator can see it. */
  tenantId: string | null;
  /** The id or name of what the event is about. */
  target: string | null;
  durationMs: number | null;
  detail: AuditDetail;
}

/** The fields of an event that is recorded after it happened; the others have defaults. */
export type Happened = Pick<AuditEvent, "event" | "actor" | "tenantId" | "target"> &
  Partial<Pick<AuditEvent, "outcome" | "code" | "detail">>;

/** Creates an event that is recorded after it happened. `now` is in epoch milliseconds. */
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
// Control characters, bidirectional overrides and line separators: they forge lines and hide text where a log is
// displayed.
const UNSAFE =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff\u{e0000}-\u{e007f}]/gu;

/** Untrusted text made safe to store and display: unsafe characters are replaced, and it is cut to 256 characters. */
export function auditText(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  return text.slice(0, MAX_TEXT).toWellFormed().replace(UNSAFE, "\ufffd");
}
