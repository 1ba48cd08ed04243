import type { AuditDetail, AuditEventName } from "../../audit/event.ts";

/** What a caller does at an open endpoint of the framework: to an account, or to one of their own keys. */
export interface FrameworkAct {
  event: AuditEventName;
  /** The owner of the account or key. */
  ownerId: string;
  target: string;
  detail: AuditDetail;
}

/** What administrators do to an account. Creating an account and ending single sessions are recorded elsewhere. */
const ADMIN_ACTS: ReadonlyMap<string, AuditEventName> = new Map([
  ["/admin/ban-user", "user.banned"],
  ["/admin/unban-user", "user.unbanned"],
  ["/admin/set-role", "user.role_changed"],
  ["/admin/update-user", "user.changed"],
  ["/admin/set-user-password", "user.password_set"],
  ["/admin/impersonate-user", "user.impersonated"],
  ["/admin/revoke-user-sessions", "user.sessions_ended"],
]);

/** What people do to their keys at the framework's endpoints instead of our management API. */
const KEY_ACTS: ReadonlyMap<string, AuditEventName> = new Map([
  ["/api-key/create", "key.created"],
  ["/api-key/update", "key.changed"],
  ["/api-key/delete", "key.revoked"],
]);

/** The act of a completed request of `userId`; undefined for a request that changes nothing. */
export function frameworkAct(
  path: string | undefined,
  { body, returned, userId }: { body: unknown; returned: unknown; userId: string },
): FrameworkAct | undefined {
  const [administers, manages] = [ADMIN_ACTS, KEY_ACTS].map((acts) => acts.get(path ?? ""));
  const ownerId = textOf(body, "userId");
  if (administers && ownerId !== undefined)
    return { event: administers, ownerId, target: ownerId, detail: detailOf(body) };
  const keyId = textOf(body, "keyId") ?? textOf(returned, "id");
  if (manages && keyId !== undefined) return { event: manages, ownerId: userId, target: keyId, detail: {} };
  return undefined;
}

/** Omits reasons and names, which are free text, and passwords, which are secret. */
function detailOf(body: unknown): AuditDetail {
  const [given, seconds, data] = ["role", "banExpiresIn", "data"].map((name) => memberOf(body, name));
  const roles = [given].flat().filter((one) => typeof one === "string");
  return {
    ...(typeof data === "object" && data !== null && { fields: Object.keys(data).toSorted().join(" ").slice(0, 100) }),
    ...(roles.length > 0 && { role: roles.join(",").slice(0, 100) }),
    ...(typeof seconds === "number" && { seconds }),
  };
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;

function textOf(value: unknown, name: string): string | undefined {
  const member = memberOf(value, name);
  return typeof member === "string" ? member : undefined;
}
