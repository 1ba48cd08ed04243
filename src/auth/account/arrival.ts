import { sql } from "drizzle-orm";
import { alignRole, arrivingAccount } from "../../accounts/accounts.ts";
import { changeEntry } from "../../audit/entry.ts";
import type { Actor } from "../../audit/event.ts";
import { personalTenantId } from "../../identity/standing.ts";
import { ensurePersonal } from "../../organizations/organizations.ts";
import type { Db } from "../../platform/postgres/db.ts";

/** The audit entry of a new account or of a sign-in, for which the personal tenant is ensured. */
export interface ArrivalEntry {
  event: "account.created" | "account.signed_in";
  actor: Actor;
  /** `password`, or the id of an identity provider. */
  method: string;
  /** Epoch milliseconds. */
  now: number;
}

/**
 * Creates the user's personal tenant and ownership unless they exist, and aligns the administrator role with
 * `adminEmails` (lower case; verified addresses only). One statement, repeated at each sign-in, so that a crash after a
 * sign-up leaves nobody without a tenant. The same statement writes the audit entry, if there is one.
 */
export async function ensurePersonalTenant(
  db: Pick<Db, "execute">,
  userId: string,
  adminEmails: readonly string[],
  entry?: ArrivalEntry,
): Promise<string> {
  const tenant = personalTenantId(userId);
  const from = sql`arriving`;
  const { organization, owner } = ensurePersonal(tenant, from);
  const recorded = entry ? sql`, recorded as (${arrival(entry, tenant)})` : sql``;
  await db.execute(sql`
    with ${from} as (${arrivingAccount(userId, adminEmails)}), tenant as (${organization}), owner as (${owner})${recorded}
    ${alignRole(from)}`);
  return tenant;
}

const arrival = ({ event, actor, method, now }: ArrivalEntry, tenant: string) =>
  changeEntry({
    event,
    actor,
    now,
    from: sql`arriving`,
    tenant: sql`${tenant}`,
    target: sql`id`,
    detail: { method },
  });
