import type { LimitSettings } from "../platform/limit-settings.ts";
import type { Limit } from "./bucket.ts";

/** What a bucket counts calls by. A call takes from one bucket of each tier; all tenants share the last. */
export const TIERS = ["credential", "user", "tenant", "tool", "gateway"] as const;
export type Tier = (typeof TIERS)[number];

/** The limits of one credential. `tools` has limits of single tools, by the name that `/mcp` shows. */
export type Plan = Record<Tier, Limit> & { tools: Readonly<Record<string, Limit>> };

/**
 * The gateway's bucket is split into this many parts. Tenants do not wait for each other, and one tenant can use up
 * only one part.
 */
export const GATEWAY_SHARDS = 8;

const DEFAULT_PLAN: Plan = {
  credential: { perMinute: 1_200, burst: 200 },
  user: { perMinute: 2_400, burst: 400 },
  tenant: { perMinute: 12_000, burst: 2_000 },
  tool: { perMinute: 6_000, burst: 1_000 },
  gateway: { perMinute: 240_000, burst: 40_000 },
  tools: {},
};

/**
 * The plan of a credential: the defaults, overridden by the operator's settings, the tenant's limits and the key's own
 * rate.
 */
export function planOf(operator: LimitSettings, tenant: LimitSettings, own: Limit | null): Plan {
  const plan = { ...DEFAULT_PLAN, tools: { ...operator.tools, ...tenant.tools } };
  for (const tier of TIERS) plan[tier] = { ...plan[tier], ...operator[tier], ...(tier !== "gateway" && tenant[tier]) };
  if (own) plan.credential = own;
  return plan;
}

/** The limit of one part of the gateway's bucket. */
export const gatewayPart = ({ perMinute, burst }: Limit): Limit => ({
  perMinute: Math.max(1, Math.floor(perMinute / GATEWAY_SHARDS)),
  burst: Math.max(1, Math.floor(burst / GATEWAY_SHARDS)),
});

/** Which of `shards` parts a tenant belongs to; the same in every isolate. */
export function shardOf(tenantId: string, shards: number): number {
  let hash = 0;
  for (let i = 0; i < tenantId.length; i++) hash = (Math.imul(hash, 31) + tenantId.charCodeAt(i)) >>> 0;
  return hash % shards;
}
