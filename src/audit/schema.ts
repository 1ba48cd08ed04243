import { index, integer, jsonb, pgTable, text, timestamp, uuid } from "drizzle-orm/pg-core";

/**
 * Who called what, with which credential, and the outcome. Rows outlive the things they name, so there are no
 * foreign keys.
 */
export const auditLog = pgTable(
  "audit_log",
  {
    id: uuid("id").primaryKey(),
    at: timestamp("at", { withTimezone: true }).notNull(),
    event: text("event").notNull(),
    outcome: text("outcome").notNull(),
    code: text("code"),
    tenantId: text("tenant_id"),
    userId: text("user_id"),
    credentialKind: text("credential_kind"),
    credentialId: text("credential_id"),
    clientId: text("client_id"),
    target: text("target"),
    requestId: text("request_id").notNull(),
    ip: text("ip"),
    userAgent: text("user_agent"),
    durationMs: integer("duration_ms"),
    detail: jsonb("detail").notNull().default({}),
  },
  (table) => [index("audit_log_tenant_time").on(table.tenantId, table.at, table.id)],
);

/** Intents that Redis could not store. They have the same event ids as the stream's entries, and are short-lived. */
export const auditIntent = pgTable("audit_intent", {
  id: uuid("id").primaryKey(),
  at: timestamp("at", { withTimezone: true }).notNull(),
  /** The event as far as it is known. */
  entry: jsonb("entry").notNull(),
});
