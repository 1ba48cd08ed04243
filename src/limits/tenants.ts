import { sql, type SQL } from "drizzle-orm";
import type * as z from "zod";
import { changeEntry } from "../audit/entry.ts";
import type { Actor } from "../audit/event.ts";
import type { Db } from "../platform/postgres/db.ts";
import { limitSettings, type LimitSettings } from "../platform/limit-settings.ts";
import type { Limit } from "./bucket.ts";
import { gatewayPart, planOf, TIERS, type Plan, type Tier } from "./plan.ts";

/** Bounded because every record of a credential contains them. */
const MAX_TOOLS = 100;

/** The limits that a tenant can have: the form of the setting `LIMITS` without what all tenants share. */
export const tenantLimitSettings = limitSettings
  .omit({ gateway: true, address: true, guess: true })
  .refine(({ tools = {} }) => Object.keys(tools).length <= MAX_TOOLS, {
    path: ["tools"],
    message: `must have at most ${MAX_TOOLS} tools`,
  });

export type TenantLimits = z.infer<typeof tenantLimitSettings>;

interface TenantChange {
  tenantId: string;
  actor: Actor;
}

type WriteDeps = { db: Pick<Db, "execute"> };

/** The limits that a tenant has instead of the default plan; null when the tenant does not exist. */
export async function tenantLimits({ db }: WriteDeps, tenantId: string): Promise<TenantLimits | null> {
  const { rows } = await db.execute<{ limits: unknown }>(sql`
    select tp.limits from organization o left join tenant_policy tp on tp.tenant_id = o.id where o.id = ${tenantId}`);
  return rows[0] ? parsed(rows[0].limits) : null;
}

/**
 * Sets the limits of a tenant, with the audit entry in the same statement; absent tiers get the defaults. False when
 * the tenant does not exist. In force once the outbox is flushed. `now` is in epoch milliseconds.
 */
export async function setTenantLimits(
  { db }: WriteDeps,
  { tenantId, limits, actor }: TenantChange & { limits: TenantLimits },
  now: number,
): Promise<boolean> {
  const { rows } = await db.execute(sql`
    with tenant as (
      select id from organization where id = ${tenantId} for key share
    ), changed as (
      insert into tenant_policy (tenant_id, limits) select id, ${JSON.stringify(limits)}::jsonb from tenant
      on conflict (tenant_id) do update set limits = excluded.limits
      returning tenant_id
    ), entry as (${changeOf(actor, limits, now)})
    select id from tenant`);
  return rows.length > 0;
}

/**
 * Removes the limits that {@link setTenantLimits} set. False when the tenant does not exist. `now` is in epoch
 * milliseconds.
 */
export async function resetTenantLimits(
  { db }: WriteDeps,
  { tenantId, actor }: TenantChange,
  now: number,
): Promise<boolean> {
  const { rows } = await db.execute(sql`
    with tenant as (
      select id from organization where id = ${tenantId} for key share
    ), changed as (
      update tenant_policy set limits = '{}' from tenant where tenant_id = tenant.id and limits <> '{}'
      returning tenant_id
    ), entry as (${changeOf(actor, {}, now)})
    select id from tenant`);
  return rows.length > 0;
}

const changeOf = (actor: Actor, limits: TenantLimits, now: number): SQL =>
  changeEntry({
    event: "limits.changed",
    actor,
    now,
    from: sql`changed`,
    target: sql`tenant_id`,
    detail: detailOf(limits),
  });

/** The audit detail of limits, such as `{"user": "600/min, 100 at once", "tools": 2}`. */
function detailOf({ tools = {}, ...tiers }: TenantLimits): Record<string, string | number> {
  const detail: Record<string, string | number> = { tools: Object.keys(tools).length };
  for (const [tier, limit] of Object.entries(tiers))
    if (limit) detail[tier] = `${limit.perMinute}/min, ${limit.burst} at once`;
  return detail;
}

/** The source of a limit: built in, the setting `LIMITS`, the tenant's own limits, or the API key. */
type LimitOrigin = "default" | "operator" | "tenant" | "key";

/** The limits that apply to one caller. */
export interface CallerLimits {
  /** For the gateway, the limit is that of the part which the caller's tenant shares with some others. */
  tiers: (Limit & { tier: Tier; from: LimitOrigin })[];
  /** Tools with a limit of their own instead of that of the tier `tool`. */
  tools: (Limit & { tool: string; from: LimitOrigin })[];
}

/** The limits in force for a credential of a tenant. `keyId` is null when it is not an API key. One statement. */
export async function limitsOf(
  { db, operator }: WriteDeps & { operator: LimitSettings },
  { tenantId, keyId }: { tenantId: string; keyId: string | null },
): Promise<CallerLimits> {
  const { rows } = await db.execute<{ limits: unknown; per_minute: number | null; burst: number | null }>(sql`
    select tp.limits, p.per_minute, p.burst from (select 1) one
      left join tenant_policy tp on tp.tenant_id = ${tenantId}
      left join api_key_policy p on p.key_id = ${keyId}`);
  const { limits, per_minute: perMinute = null, burst = null } = rows[0] ?? {};
  const own = perMinute === null ? null : { perMinute, burst: burst ?? perMinute };
  return explained(operator, parsed(limits), own);
}

/** A plan with the source of each limit (pure); see {@link planOf}. */
export function explained(operator: LimitSettings, tenant: TenantLimits, own: Limit | null): CallerLimits {
  const plan: Plan = planOf(operator, tenant, own);
  const given: LimitSettings = tenant;
  const originOf = (tier: Tier): LimitOrigin => {
    if (tier === "credential" && own) return "key";
    if (tier !== "gateway" && given[tier]) return "tenant";
    return operator[tier] ? "operator" : "default";
  };
  return {
    tiers: TIERS.map((tier) => ({
      tier,
      ...(tier === "gateway" ? gatewayPart(plan.gateway) : plan[tier]),
      from: originOf(tier),
    })),
    tools: Object.entries(plan.tools).map(([tool, limit]) => ({
      tool,
      ...limit,
      from: Object.hasOwn(tenant.tools ?? {}, tool) ? "tenant" : "operator",
    })),
  };
}

/** Limits in the table that cannot be read are ignored, as in admission. */
function parsed(limits: unknown): TenantLimits {
  const {
    gateway: _gateway,
    address: _address,
    guess: _guess,
    ...own
  } = limitSettings.safeParse(limits ?? {}).data ?? {};
  return own;
}
