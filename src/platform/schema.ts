import { sql } from "drizzle-orm";
import { bigint, boolean, check, pgTable, text, timestamp } from "drizzle-orm/pg-core";

/**
 * A counter of the changes of a tenant (`t:{id}`) or a user (`u:{id}`) that matter to records of credentials: members,
 * roles, bans, limits, servers. Triggers increase it; a cached record with another epoch is a miss.
 */
export const epoch = pgTable("epoch", {
  subject: text("subject").primaryKey(),
  value: bigint("value", { mode: "number" }).notNull(),
});

/**
 * Changes that Redis has not received yet, written by triggers in the statement that makes the change. `target` is
 * `key:{hash}` with the key's version, or `epoch:{subject}` with its value.
 */
export const outbox = pgTable(
  "outbox",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    target: text("target").notNull(),
    version: bigint("version", { mode: "number" }).notNull(),
    /** Whether the key is permanently invalid. */
    dead: boolean("dead").notNull().default(false),
    at: timestamp("at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [check("outbox_target", sql`${table.target} ~ '^(key|epoch):'`)],
);
