import { index, pgTable, text, timestamp, uuid } from "drizzle-orm/pg-core";

/**
 * One row for each refresh token that somebody has presented: who may rotate it, and for 30 seconds the sealed answer that all its
 * presenters get. Rows hold hashes only; the answer opens with the presented token alone.
 */
export const refreshClaim = pgTable(
  "refresh_claim",
  {
    tokenHash: text("token_hash").primaryKey(),
    /** Hash of the parameters beside the token: the kept answer is for the same request only. */
    fingerprint: text("fingerprint").notNull(),
    claimId: uuid("claim_id").notNull(),
    claimedAt: timestamp("claimed_at", { withTimezone: true }).notNull(),
    answer: text("answer"),
    answeredAt: timestamp("answered_at", { withTimezone: true }),
  },
  (table) => [index("refresh_claim_claimed_at").on(table.claimedAt)],
);
