import type { SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import type { AuditEvent } from "../../../src/audit/event.ts";
import type { AuditRow } from "../../../src/audit/entry.ts";
import type { Db } from "../../../src/platform/postgres/db.ts";

export const NOW = 1_800_000_000_000;

/** The id of an event by a short name of ours. */
export const idOf = (name: string) => `00000000-0000-7000-8000-${Buffer.from(name).toString("hex").padStart(12, "0")}`;

/** One call that went well. */
export const event = (change: Partial<AuditEvent> = {}): AuditEvent => ({
  id: "00000000-0000-7000-8000-000000000001",
  at: NOW,
  event: "mcp.tools/call",
  outcome: "ok",
  code: null,
  actor: {
    tenantId: "tenant-1",
    userId: "user-1",
    credential: { kind: "api_key", id: "key-1" },
    clientId: null,
    requestId: "req-1",
    ip: "192.0.2.1",
    userAgent: "a client",
  },
  tenantId: "tenant-1",
  target: "echo",
  durationMs: 5,
  detail: {},
  ...change,
});

/** A Postgres that keeps its statements, and answers as it is told. */
export function postgres(answer: (statement: number) => unknown[] | Error = () => []) {
  const dialect = new PgDialect();
  const statements: { sql: string; params: unknown[] }[] = [];
  const execute = async (statement: SQL) => {
    const rows = answer(statements.push(dialect.sqlToQuery(statement)) - 1);
    if (rows instanceof Error) throw rows;
    return { rows };
  };
  return { statements, db: { execute } as unknown as Pick<Db, "execute"> };
}

/** The rows of an insert into the audit log. */
export const rowsOf = ({ params }: { params: unknown[] }) => JSON.parse(String(params[0])) as AuditRow[];
