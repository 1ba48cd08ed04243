import { integer, jsonb, pgTable, text, timestamp } from "drizzle-orm/pg-core";
import { organization } from "../identity/schema.ts";

/** What a tenant has been given instead of the default plan. A change raises the tenant's epoch, by a trigger. */
export const tenantPolicy = pgTable("tenant_policy", {
  tenantId: text("tenant_id")
    .primaryKey()
    .references(() => organization.id, { onDelete: "cascade" }),
  /** The form of the setting `LIMITS`; tiers that are absent are as by default. */
  limits: jsonb("limits").notNull().default({}),
});

/** Counts tries of credentials while Redis cannot: closed doors where neither store counts. */
export const tryCount = pgTable("try_count", {
  bucket: text("bucket").primaryKey(),
  count: integer("count").notNull(),
  until: timestamp("until", { withTimezone: true }).notNull(),
});
