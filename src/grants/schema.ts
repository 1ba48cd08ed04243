import { index, pgTable, text, timestamp, uuid } from "drizzle-orm/pg-core";

/**
 * One row for each refresh token that somebody has presented: who may rotate it, and for 30 seconds the sealed answer that all its
 * presenters get. Rows hold hashes only; the answer opens with the presented token alone.
 */
export const refreshLock = pgTable(
  "refresh_lock",
  {
    tokenHash: text("token_hash").primaryKey(),
    /** Hash of the parameters beside the token: the kept answer is for the same request only. */
    fingerprint: text("fingerprint").notNull(),
    lockId: uuid("lock_id").notNull(),
    lockedAt: timestamp("locked_at", { withTimezone: true }).notNull(),
    answer: text("answer"),
    answeredAt: timestamp("answered_at", { withTimezone: true }),
  },
  (table) => [index("refresh_lock_locked_at").on(table.lockedAt)],
);

/**
 * Grants that were ended. What is being made for one at that moment, a successor that is not yet stored above all, is refused by this
 * row when it is used. Kept for as long as a refresh token of the grant exists.
 */
export const endedGrant = pgTable("ended_grant", {
  grantId: text("grant_id").primaryKey(),
  endedAt: timestamp("ended_at", { withTimezone: true }).notNull(),
});
