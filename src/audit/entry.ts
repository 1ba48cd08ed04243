import { sql, type SQL } from "drizzle-orm";
import { uuidv7 } from "../platform/crypto.ts";
import { instant } from "../platform/postgres/sql.ts";
import {
  auditText,
  type Actor,
  type AuditDetail,
  type AuditEvent,
  type AuditEventName,
  type ChangedBy,
} from "./event.ts";
import { auditIntent, auditLog } from "./schema.ts";

const COLUMNS = sql.raw(
  "id, at, event, outcome, code, tenant_id, user_id, credential_kind, credential_id, client_id, target, request_id, ip, user_agent, duration_ms, detail",
);
const TYPES = sql.raw(
  "id uuid, at timestamptz, event text, outcome text, code text, tenant_id text, user_id text, credential_kind text, credential_id text, client_id text, target text, request_id text, ip text, user_agent text, duration_ms int, detail jsonb",
);

/** The only INSERT into the audit log. An existing id is not changed: writing an event twice leaves one entry. */
const insertInto = (select: SQL): SQL => sql`insert into ${auditLog} (${COLUMNS}) ${select} on conflict do nothing`;

/** An event as JSON: the form in the stream, and in the one parameter of an insert of many events. */
export type AuditRow = ReturnType<typeof rowOf>;

export function rowOf({ id, at, event, outcome, code, actor, tenantId, target, durationMs, detail }: AuditEvent) {
  return {
    id,
    at: new Date(at).toISOString(),
    event,
    outcome,
    code,
    tenant_id: tenantId,
    ...actorColumns(actor),
    target: auditText(target),
    duration_ms: durationMs,
    detail,
  };
}

const actorColumns = (actor: Actor) => ({
  user_id: actor.userId,
  credential_kind: actor.credential?.kind ?? null,
  credential_id: actor.credential?.id ?? null,
  client_id: actor.clientId,
  request_id: actor.requestId,
  ip: auditText(actor.ip),
  user_agent: auditText(actor.userAgent),
});

/** Inserts events from a JSON array of {@link AuditRow}, given as an SQL expression. */
export const insertRows = (rows: SQL): SQL =>
  insertInto(sql`select ${COLUMNS} from jsonb_to_recordset(${rows}) as event(${TYPES})`);

/**
 * Stores an intent in Postgres when Redis cannot: the JSON of an {@link AuditRow} under its id, if the condition holds.
 * Returns a row when it was written. `now` is in epoch milliseconds.
 */
export const insertIntent = ({ id, entry, now, when }: { id: string; entry: string; now: number; when: SQL }): SQL =>
  sql`insert into ${auditIntent} (id, at, entry) select ${id}::uuid, ${instant(now)}, ${entry}::jsonb
    where ${when} on conflict do nothing returning 1`;

/** Removes the intents of events whose outcome is now known. */
export const settleIntents = (ids: readonly string[]): SQL =>
  sql`delete from ${auditIntent} where id = any(${sql.param([...ids])}::uuid[])`;

/** The audit entry of a change, written by the statement that makes the change. */
export interface ChangeEntry extends ChangedBy {
  event: AuditEventName;
  /**
   * The name of an earlier part of the statement, or a query in parentheses. Each of its rows gives one entry; without
   * rows, nothing was changed.
   */
  from: SQL;
  /** An expression over `from` for the organization of the entry. By default its column `tenant_id`. */
  tenant?: SQL;
  /** An expression over `from` for the id or name of what was changed. By default its column `target`. */
  target?: SQL;
  /** A fixed value, or a jsonb expression over `from`. */
  detail?: AuditDetail | { sql: SQL };
}

/**
 * The audit entry of a change, for a `with` clause of the statement that makes the change: both happen or neither does.
 */
export function changeEntry({ event, actor, now, from, tenant, target, detail = {} }: ChangeEntry): SQL {
  const who = actorColumns(actor);
  const shown = isExpression(detail) ? detail.sql : sql`${JSON.stringify(detail)}::jsonb`;
  return insertInto(sql`
    select ${rowId(now)}, ${instant(now)}, ${event}, 'ok', null, ${tenant ?? sql`tenant_id`}, ${who.user_id},
      ${who.credential_kind}, ${who.credential_id}, ${who.client_id}, ${target ?? sql`target`}, ${who.request_id}, ${who.ip},
      ${who.user_agent}, null::int, ${shown}
    from ${from} as changed_rows`);
}

const isExpression = (detail: AuditDetail | { sql: SQL }): detail is { sql: SQL } => typeof detail["sql"] === "object";

/** The first 15 characters of a version 7 UUID hold its time and version. */
const TIME_LENGTH = 15;

/** A new version 7 UUID of this time for each row. The random UUID already has the right variant bits. */
const rowId = (now: number): SQL =>
  sql`overlay(gen_random_uuid()::text placing ${uuidv7(now).slice(0, TIME_LENGTH)} from 1 for ${sql.raw(String(TIME_LENGTH))})::uuid`;
