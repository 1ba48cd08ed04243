import { sql } from "drizzle-orm";
import type { Db } from "../../platform/postgres/db.ts";
import { isThere } from "../reading/servers.ts";

/** What an administrator needs to know about a view before clients are limited to it. */
export interface PolicyView {
  hasServers: boolean;
  hasAddresses: boolean;
  endsAt: Date | null;
}

/**
 * A private view of the tenant that has not ended, or the public view for `null`; undefined when there is no such view.
 * One statement. `now` is in epoch milliseconds.
 */
export async function findPolicyView(
  { db }: { db: Pick<Db, "execute"> },
  { tenantId, viewId }: { tenantId: string; viewId: string | null },
  now: number,
): Promise<PolicyView | undefined> {
  const at = sql`${new Date(now).toISOString()}::timestamptz`;
  const { rows } = await db.execute<{ there: boolean; servers: boolean; addresses: boolean; ends: string | null }>(sql`
    with one as (
      select addresses, ends_at from registry_view
      where id = ${viewId}::uuid and tenant_id = ${tenantId} and (ends_at is null or ends_at > ${at})
    )
    select ${viewId === null}::boolean or exists (select 1 from one) as there,
      exists (select 1 from registry_version v
        where v.is_latest and ${isThere(false)} and ${viewId === null ? sql`v.is_public` : sql`v.tenant_id = ${tenantId}`}) as servers,
      exists (select 1 from one where addresses is not null) as addresses, (select ends_at from one) as ends`);
  const [row] = rows;
  if (!row?.there) return undefined;
  return {
    hasServers: row.servers,
    hasAddresses: row.addresses,
    endsAt: row.ends === null ? null : new Date(row.ends),
  };
}
