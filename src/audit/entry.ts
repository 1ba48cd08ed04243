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

/** The one INSERT into the audit log. An id that is there already stays as it is: writing an event twice leaves one entry. */
const insertInto = (select: SQL): SQL => sql`insert into ${auditLog} (${COLUMNS}) ${select} on conflict do nothing`;

/** An event as JSON: what waits in the stream, and what an insert takes many of in one parameter. */
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

/** Inserts events from a JSON array of {@link AuditRow}, given as SQL. */
export const insertRows = (rows: SQL): SQL =>
  insertInto(sql`select ${COLUMNS} from jsonb_to_recordset(${rows}) as event(${TYPES})`);

/**
 * Keeps an event before it happens, where Redis cannot: the JSON of an {@link AuditRow} by its id, when the condition holds. Returns a row
 * when it was written. `now` is in epoch milliseconds.
 */
export const insertIntent = ({ id, entry, now, when }: { id: string; entry: string; now: number; when: SQL }): SQL =>
  sql`insert into ${auditIntent} (id, at, entry) select ${id}::uuid, ${instant(now)}, ${entry}::jsonb
    where ${when} on conflict do nothing returning 1`;

/** Removes what {@link insertIntent} kept of events whose outcome is known now. */
export const settleIntents = (ids: readonly string[]): SQL =>
  sql`delete from ${auditIntent} where id = any(${sql.param([...ids])}::uuid[])`;

/** The entry of a change that is made in the same statement. */
export interface ChangeEntry extends ChangedBy {
  event: AuditEventName;
  /** Name of an earlier part of the statement, or a query in parentheses. One entry for each of its rows; none when the change is not made. */
  from: SQL;
  /** An expression over `from`: the organization that the entry belongs to. By default its column `tenant_id`. */
  tenant?: SQL;
  /** An expression over `from`: the id or name of what was changed. By default its column `target`. */
  target?: SQL;
  /** Fixed, or a jsonb expression over `from`. */
  detail?: AuditDetail | { sql: SQL };
}

/** The entry of a change, for a `with` clause of the statement that makes the change: both happen or neither does. */
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

/** A version 7 UUID of this moment for each row; the version and variant bits of the random one fit. */
const rowId = (now: number): SQL =>
  sql`overlay(gen_random_uuid()::text placing ${uuidv7(now).slice(0, TIME_LENGTH)} from 1 for ${sql.raw(String(TIME_LENGTH))})::uuid`;
