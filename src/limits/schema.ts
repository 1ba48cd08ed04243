import { bigint, integer, jsonb, pgTable, primaryKey, text, timestamp } from "drizzle-orm/pg-core";
import { organization } from "../identity/schema.ts";

/** What a tenant has been given instead of the default plan. A change raises the tenant's epoch, by a trigger. */
export const tenantPolicy = pgTable("tenant_policy", {
  tenantId: text("tenant_id")
    .primaryKey()
    .references(() => organization.id, { onDelete: "cascade" }),
  /** The form of the setting `LIMITS`; tiers that are absent are as by default. */
  limits: jsonb("limits").notNull().default({}),
});

/** Calls that a chain of keys has used up, by period (`2026-11` or `total`): what Redis counts, written down from time to time. */
export const quotaUse = pgTable(
  "quota_use",
  {
    chainId: text("chain_id").notNull(),
    period: text("period").notNull(),
    used: bigint("used", { mode: "number" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.chainId, table.period] })],
);

/** Counts tries of credentials while Redis cannot: closed doors where neither store counts. */
export const tryCount = pgTable("try_count", {
  bucket: text("bucket").primaryKey(),
  count: integer("count").notNull(),
  until: timestamp("until", { withTimezone: true }).notNull(),
});
