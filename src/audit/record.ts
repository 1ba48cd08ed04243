import type { Db } from "../platform/db.ts";
import { auditText, type AuditEvent } from "./event.ts";
import { auditLog } from "./schema.ts";

/** Writes one event. Idempotent by its id: a repeated write after a lost answer changes nothing. */
export async function recordEvent(db: Pick<Db, "insert">, event: AuditEvent): Promise<void> {
  const { actor, at, target, ip, userAgent, ...rest } = event;
  await db
    .insert(auditLog)
    .values({
      ...rest,
      at: new Date(at),
      tenantId: actor?.tenantId ?? null,
      userId: actor?.userId ?? null,
      credentialKind: actor?.credentialKind ?? null,
      credentialId: actor?.credentialId ?? null,
      clientId: actor?.clientId ?? null,
      target: auditText(target),
      ip: auditText(ip),
      userAgent: auditText(userAgent),
    })
    .onConflictDoNothing();
}
