import { sql, type SQL } from "drizzle-orm";
import { uuidv7 } from "../platform/ids.ts";
import type { KeyTrail } from "./keys.ts";

/** What the audit log is told of a key; see `AuditEventName`. */
export type KeyEventName = "key.created" | "key.changed" | "key.rotated" | "key.revoked" | "key.leaked";

/**
 * An INSERT into the audit log for a `with` clause, so that a change and its entry are one statement. `from` names an earlier part of the
 * statement with the columns `id` (of the key) and `tenant_id`: it has one row when the change is made, else none.
 */
export function auditInsert(entry: {
  event: KeyEventName;
  from: SQL;
  userId: string | null;
  trail: KeyTrail;
  detail: Readonly<Record<string, string | number | boolean>>;
  now: number;
}): SQL {
  const { event, from, userId, trail, detail, now } = entry;
  return sql`insert into audit_log (id, at, event, outcome, tenant_id, user_id, credential_kind, credential_id, client_id, target,
      request_id, ip, user_agent, detail)
    select ${uuidv7(now)}::uuid, ${new Date(now).toISOString()}::timestamptz, ${event}, 'ok', tenant_id, ${userId},
      ${trail.credentialKind}, ${trail.credentialId}, ${trail.clientId}, id, ${trail.requestId}, ${trail.ip}, ${trail.userAgent},
      ${JSON.stringify(detail)}::jsonb
    from ${from}`;
}

/** Epoch milliseconds as Better Auth's columns keep time: without a zone, in UTC. */
export const utc = (time: number): SQL => sql`(${new Date(time).toISOString()}::timestamptz at time zone 'utc')`;

/** A list for an array column, or null. */
export const textList = (texts: readonly string[] | null | undefined): SQL =>
  texts ? sql`${sql.param([...texts])}::text[]` : sql`null::text[]`;
