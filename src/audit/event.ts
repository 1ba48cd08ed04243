/** What the audit log records (R11). A new kind of event is a new name here and nothing else. */
export type AuditEventName =
  | "mcp.tools/call"
  | "mcp.prompts/get"
  | "mcp.resources/read"
  | "mcp.refused"
  | "api.refused"
  | "key.created"
  | "key.changed"
  | "key.rotated"
  | "key.revoked"
  | "key.leaked"
  | "limits.changed"
  | "registry.published"
  | "registry.status_changed"
  | "registry.visibility_changed"
  | "registry.namespace_claimed"
  | "registry.namespace_assigned"
  | "registry.namespace_released"
  | "registry.view_created"
  | "registry.view_rotated"
  | "registry.view_deleted"
  | "registry.view_used"
  | "registry.gateway_changed"
  | "registry.source_added"
  | "registry.source_changed"
  | "registry.source_removed";

/** Who did it, as far as known. Ids only: names change and are looked up when the log is read. */
export interface AuditActor {
  tenantId: string;
  userId: string;
  credentialKind: "access_token" | "api_key" | "session" | "publisher_token" | "legacy_token";
  credentialId: string;
  clientId: string | null;
}

/** One thing that happened. Times are epoch milliseconds. `detail` carries no arguments, results or secrets. */
export interface AuditEvent {
  id: string;
  at: number;
  event: AuditEventName;
  /** `unknown`: it was about to happen, and nobody came back to say what came of it. */
  outcome: "ok" | "error" | "refused" | "unknown";
  /** A stable code for outcomes other than `ok`. */
  code: string | null;
  actor: AuditActor | null;
  target: string | null;
  requestId: string;
  ip: string | null;
  userAgent: string | null;
  durationMs: number | null;
  detail: Readonly<Record<string, string | number | boolean>>;
}

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
