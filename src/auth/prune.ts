import { sql } from "drizzle-orm";
import { deleteExpiredSessions } from "../accounts/sessions.ts";
import { deleteExpiredAssertions, deleteUnusedClients } from "../grants/clients/clients.ts";
import { deleteExpiredAccessTokens, deleteOldRefreshTokens } from "../grants/consents.ts";
import { deleteOldDeviceCodes } from "../grants/device/codes.ts";
import { deleteOldTries } from "../limits/tries.ts";
import { deleteOldInvitations } from "../organizations/invitations.ts";
import type { Db } from "../platform/postgres/db.ts";

const BATCH = 500;

/**
 * Deletes expired rows of Better Auth, clients that were never used, old invitations and counts of tries. One
 * statement, in bounded batches.
 */
export async function pruneExpired(db: Pick<Db, "execute">): Promise<void> {
  await db.execute(sql`
    with sessions as (${deleteExpiredSessions(BATCH)}),
      access_tokens as (${deleteExpiredAccessTokens(BATCH)}),
      devices as (${deleteOldDeviceCodes(BATCH)}),
      assertions as (${deleteExpiredAssertions(BATCH)}),
      unused as (${deleteUnusedClients(BATCH)}),
      invitations as (${deleteOldInvitations(BATCH)}),
      tries as (${deleteOldTries(BATCH)})
    ${deleteOldRefreshTokens(BATCH)}`);
}
