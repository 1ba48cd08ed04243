import { uuidv7 } from "../platform/crypto.ts";

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
  "app.disconnected": "What a person had allowed an app was withdrawn.",
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

/** Somebody, a person or a client, whose credential says who they are. */
export interface KnownActor extends Actor {
  userId: string;
}

/** Somebody who acts in an organization. */
export interface TenantActor extends KnownActor {
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

/** Who makes a change, and when (epoch milliseconds), for the audit entry that the statement of the change writes. */
export interface ChangedBy<Who extends Actor = Actor> {
  actor: Who;
  now: number;
}

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
