import { sql, type SQL } from "drizzle-orm";
import { uuidv7 } from "../platform/ids.ts";

/** What the audit log is told of the registry; see `AuditEventName`. */
export type RegistryEventName =
  | "registry.published"
  | "registry.status_changed"
  | "registry.visibility_changed"
  | "registry.gateway_changed"
  | "registry.namespace_claimed"
  | "registry.namespace_assigned"
  | "registry.namespace_released"
  | "registry.source_added"
  | "registry.source_changed"
  | "registry.source_removed";

/** Who did it and from where, as the audit log keeps it; texts are as they may be kept. */
export interface RegistryTrail {
  userId: string | null;
  credentialKind: string | null;
  credentialId: string | null;
  clientId: string | null;
  requestId: string;
  ip: string | null;
  userAgent: string | null;
}

/**
 * An INSERT into the audit log for a `with` clause, so that a change and its entry are one statement. `from` names an earlier part of the
 * statement, with the columns `tenant_id` and `target`: one entry for each of its rows. `now` is epoch milliseconds.
 */
export function auditInsert(entry: {
  event: RegistryEventName;
  from: SQL;
  trail: RegistryTrail;
  detail: Readonly<Record<string, string | number | boolean>>;
  now: number;
}): SQL {
  const { event, from, trail, detail, now } = entry;
  return sql`insert into audit_log (id, at, event, outcome, tenant_id, user_id, credential_kind, credential_id, client_id, target,
      request_id, ip, user_agent, detail)
    select ${uuidv7(now)}::uuid, ${new Date(now).toISOString()}::timestamptz, ${event}, 'ok', tenant_id, ${trail.userId},
      ${trail.credentialKind}, ${trail.credentialId}, ${trail.clientId}, target, ${trail.requestId}, ${trail.ip}, ${trail.userAgent},
      ${JSON.stringify(detail)}::jsonb
    from ${from}`;
}
