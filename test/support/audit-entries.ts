// What the audit log says, whoever caused it.
import { sql, type SQL } from "drizzle-orm";
import { db, eventually } from "./gateway.ts";

/** An entry as far as the stories look at it. */
export interface Entry extends Record<string, unknown> {
  event: string;
  outcome: string;
  tenant_id: string | null;
  user_id: string | null;
  credential_kind: string | null;
  client_id: string | null;
  target: string | null;
  request_id: string;
  ip: string | null;
  detail: Record<string, unknown>;
}

/** Entries that fulfil a condition, oldest first, once there are so many; but not those of how people sign in. */
const entriesWhere = (condition: SQL, count: number): Promise<Entry[]> =>
  eventually(async () => {
    const { rows } = await db.execute<Entry>(sql`
      select event, outcome, tenant_id, user_id, credential_kind, client_id, target, request_id, ip, detail
      from audit_log where (${condition}) and event !~ '^(account|session)[.]' order by at, id`);
    return rows.length >= count ? rows : undefined;
  });

export const entriesOfTenant = (tenantId: string, count: number): Promise<Entry[]> =>
  entriesWhere(sql`tenant_id = ${tenantId}`, count);

export const entriesAbout = (target: string, count: number): Promise<Entry[]> =>
  entriesWhere(sql`target = ${target}`, count);
