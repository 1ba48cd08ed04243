import { sql, type SQL } from "drizzle-orm";
import { auditText, type AuditEvent } from "./event.ts";
import { auditLog } from "./schema.ts";

/** A row of the audit log as JSON: what waits in the stream, and what an insert takes many of in one parameter. */
export type AuditRow = ReturnType<typeof rowOf>;

export function rowOf({ actor, at, target, ip, userAgent, requestId, durationMs, ...rest }: AuditEvent) {
  return {
    ...rest,
    at: new Date(at).toISOString(),
    tenant_id: actor?.tenantId ?? null,
    user_id: actor?.userId ?? null,
    credential_kind: actor?.credentialKind ?? null,
    credential_id: actor?.credentialId ?? null,
    client_id: actor?.clientId ?? null,
    target: auditText(target),
    request_id: requestId,
    ip: auditText(ip),
    user_agent: auditText(userAgent),
    duration_ms: durationMs,
  };
}

const COLUMNS = sql.raw(
  "id, at, event, outcome, code, tenant_id, user_id, credential_kind, credential_id, client_id, target, request_id, ip, user_agent, duration_ms, detail",
);
const TYPES = sql.raw(
  "id uuid, at timestamptz, event text, outcome text, code text, tenant_id text, user_id text, credential_kind text, credential_id text, client_id text, target text, request_id text, ip text, user_agent text, duration_ms int, detail jsonb",
);

/** Inserts rows from a JSON array, given as SQL; those that are there already stay as they are: an event's id is its own (idempotent). */
export const insertRows = (rows: SQL) => sql`
  insert into ${auditLog} (${COLUMNS})
  select ${COLUMNS} from jsonb_to_recordset(${rows}) as event(${TYPES})
  on conflict do nothing`;
