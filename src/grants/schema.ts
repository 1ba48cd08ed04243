import { index, pgTable, text, timestamp, uuid } from "drizzle-orm/pg-core";

/**
 * One row for each refresh token that was presented: who may rotate it, and for 30 seconds the sealed answer for all
 * requests that present it. Rows have only hashes; the answer can be decrypted only with the presented token.
 */
export const refreshLock = pgTable(
  "refresh_lock",
  {
    tokenHash: text("token_hash").primaryKey(),
    /** Hash of the other parameters: the kept answer is only for the same request. */
    fingerprint: text("fingerprint").notNull(),
    lockId: uuid("lock_id").notNull(),
    lockedAt: timestamp("locked_at", { withTimezone: true }).notNull(),
    answer: text("answer"),
    answeredAt: timestamp("answered_at", { withTimezone: true }),
  },
  (table) => [index("refresh_lock_locked_at").on(table.lockedAt)],
);

/**
 * Grants that have ended. This row also stops tokens that were being issued at that moment, such as a successor that
 * was not stored yet: they are refused when used. Kept for as long as a refresh token of the grant exists.
 */
export const endedGrant = pgTable("ended_grant", {
  grantId: text("grant_id").primaryKey(),
  endedAt: timestamp("ended_at", { withTimezone: true }).notNull(),
});
