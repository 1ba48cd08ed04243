import { getTableColumns, sql } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { describe, expect, it } from "vitest";
import { insertRows, rowOf } from "../../../src/audit/entry.ts";
import { unauthenticated } from "../../../src/audit/event.ts";
import { auditLog } from "../../../src/audit/schema.ts";
import { event, NOW } from "./trail.ts";

describe("R11: a row of the audit log", () => {
  it("R11: has a member for each column, and no other", () => {
    const columns = Object.values(getTableColumns(auditLog)).map(({ name }) => name);
    expect(Object.keys(rowOf(event())).toSorted()).toEqual(columns.toSorted());
    const { sql: text } = new PgDialect().sqlToQuery(insertRows(sql`${"[]"}::jsonb`));
    const [, inserted = ""] = /insert into "audit_log" \(([^)]*)\)/.exec(text) ?? [];
    expect(inserted.split(", ").toSorted()).toEqual(columns.toSorted());
    const [, read = ""] = / as event\((.*)\)/.exec(text) ?? [];
    expect(read.split(", ").map((column) => column.split(" ")[0])).toEqual(inserted.split(", "));
  });

  it("R11: says who, what, when and whence", () => {
    expect(rowOf(event())).toEqual({
      id: "00000000-0000-7000-8000-000000000001",
      at: new Date(NOW).toISOString(),
      event: "mcp.tools/call",
      outcome: "ok",
      code: null,
      tenant_id: "tenant-1",
      user_id: "user-1",
      credential_kind: "api_key",
      credential_id: "key-1",
      client_id: null,
      target: "echo",
      request_id: "req-1",
      ip: "192.0.2.1",
      user_agent: "a client",
      duration_ms: 5,
      detail: {},
    });
  });

  it("R11: has nobody's name when nobody is known", () => {
    expect(
      rowOf(event({ tenantId: null, actor: unauthenticated({ requestId: "req-1", ip: null, userAgent: null }) })),
    ).toMatchObject({
      tenant_id: null,
      user_id: null,
      credential_kind: null,
      credential_id: null,
      client_id: null,
    });
  });

  it.each(["target", "ip", "userAgent"] as const)("N04: holds no text from outside that forges lines: %s", (member) => {
    const text = `a\r\n\u0000\u202e${"b".repeat(5_000)}`;
    const { actor } = event();
    const row = JSON.stringify(
      rowOf(event(member === "target" ? { target: text } : { actor: { ...actor, [member]: text } })),
    );
    // eslint-disable-next-line no-control-regex
    expect(row).not.toMatch(/[\u0000-\u001f\u202e]|\\[rnu]/);
    expect(row.length).toBeLessThan(900);
  });

  it("is inserted once, whoever brings it", () => {
    const { sql: text, params } = new PgDialect().sqlToQuery(insertRows(sql`${"[]"}::jsonb`));
    expect(text).toMatch(/on conflict do nothing\s*$/);
    expect(params).toEqual(["[]"]);
  });
});
