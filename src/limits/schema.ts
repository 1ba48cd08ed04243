import { bigint, integer, jsonb, pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import { organization } from "../identity/schema.ts";

/** Limits that a tenant has instead of the default plan. A trigger raises the tenant's epoch with every change. */
export const tenantPolicy = pgTable("tenant_policy", {
  tenantId: text("tenant_id")
    .primaryKey()
    .references(() => organization.id, { onDelete: "cascade" }),
  /** Same form as the setting `LIMITS`. Absent tiers have the defaults. */
  limits: jsonb("limits").notNull().default({}),
});

/** Calls used by a chain of keys, by period (`2026-11` or `total`): the counts of Redis, written from time to time. */
export const quotaUse = pgTable(
  "quota_use",
  {
    chainId: text("chain_id").notNull(),
    period: text("period").notNull(),
    used: bigint("used", { mode: "number" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.chainId, table.period] })],
);

/** Counts tries of credentials while Redis cannot. When neither store can count, no try is allowed. */
export const tryCount = pgTable("try_count", {
  bucket: text("bucket").primaryKey(),
  count: integer("count").notNull(),
  until: timestamp("until", { withTimezone: true }).notNull(),
});
