import { and, desc, eq, lt, or } from "drizzle-orm";
import type { Db } from "../platform/postgres/db.ts";
import { auditLog } from "./schema.ts";

/** A position in the log: the last entry that a page showed. */
export interface AuditPosition {
  at: Date;
  id: string;
}

export type AuditEntry = typeof auditLog.$inferSelect;

/** The tenant's entries older than `before`, newest first, at most `limit`. One statement, along the index. */
export async function readEvents(
  db: Pick<Db, "select">,
  query: { tenantId: string; limit: number; before?: AuditPosition | undefined },
): Promise<AuditEntry[]> {
  const { tenantId, limit, before } = query;
  const older = before && or(lt(auditLog.at, before.at), and(eq(auditLog.at, before.at), lt(auditLog.id, before.id)));
  return db
    .select()
    .from(auditLog)
    .where(and(eq(auditLog.tenantId, tenantId), older))
    .orderBy(desc(auditLog.at), desc(auditLog.id))
    .limit(limit);
}
