import { sql } from "drizzle-orm";
import { personalTenantId } from "./standing.ts";
import type { Db } from "../platform/postgres/db.ts";

/** A tenant that a person may act in. */
export interface Membership {
  tenantId: string;
  /** The name that its members chose. */
  name: string;
  personal: boolean;
}

/** The tenants of a person: the personal one first, then by name. The personal one is always listed, as in `actsIn`. */
export async function membershipsOf(db: Pick<Db, "execute">, userId: string): Promise<Membership[]> {
  const { rows } = await db.execute<{ id: string; name: string }>(sql`
    select o.id, o.name from member m join organization o on o.id = m.organization_id
    where m.user_id = ${userId} order by o.name, o.id limit 200`);
  const own = personalTenantId(userId);
  const personal = { tenantId: own, name: rows.find(({ id }) => id === own)?.name ?? "", personal: true };
  const organizations = rows.filter(({ id }) => id !== own);
  return [personal, ...organizations.map(({ id, name }) => ({ tenantId: id, name, personal: false }))];
}
