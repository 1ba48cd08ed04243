import { sql } from "drizzle-orm";
import { permissionsToScopes, type Scope } from "../../identity/scopes.ts";
import { activeSql, actsInSql, administratorRoleSql } from "../../identity/standing.ts";
import { planOf } from "../../limits/plan.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { addressRange, type AddressRange } from "../../platform/ip.ts";
import { limitSettings, type LimitSettings } from "../../platform/limit-settings.ts";
import { machineUserId } from "../principal.ts";
import type { CredentialRecord, Quota, VersionedRecord } from "../record.ts";

export interface FillDeps {
  /** The write database: a replica may lag behind a revocation. */
  db: Pick<Db, "execute">;
  /** The operator's limits. */
  limits: LimitSettings;
}

/** The user id of an API key that belongs to an organization. */
export const keyUserId = (keyId: string): string => `key:${keyId}`;

interface KeyRow extends Record<string, unknown> {
  id: string;
  name: string | null;
  user_id: string | null;
  tenant_id: string;
  chain_id: string;
  version: string;
  tenant_epoch: string;
  user_epoch: string;
  permissions: string | null;
  works: boolean;
  is_administrator: boolean;
  expires_at: number | null;
  disabled_until: number | null;
  addresses: string[] | null;
  servers: string[] | null;
  tools: string[] | null;
  per_minute: number | null;
  burst: number | null;
  quota_max: string | null;
  period: string | null;
  period_ends: number | null;
  used: string | null;
  limits: unknown;
}

/**
 * The record of the API key with this hash, from Better Auth's `apikey` table and our policy table (R4, R7); null when
 * there is no such key. One statement.
 */
export async function keyRecord({ db, limits }: FillDeps, hash: string): Promise<VersionedRecord | null> {
  const { rows } = await db.execute<KeyRow>(sql`
    select k.id, k.name, k.permissions, p.tenant_id, p.chain_id, p.version, p.addresses, p.servers, p.tools, p.per_minute, p.burst,
      case when k.config_id = 'default' then k.reference_id end as user_id,
      coalesce(te.value, 0) as tenant_epoch, coalesce(ue.value, 0) as user_epoch,
      k.enabled is true and p.revoked_at is null and case when k.config_id = 'default'
        then u.id is not null and ${activeSql("u")} and ${actsInSql({ tenantId: sql`p.tenant_id`, userId: sql`u.id` })}
        else o.id is not null and p.tenant_id = k.reference_id end as works,
      ${administratorRoleSql(sql`u.role`)} as is_administrator,
      date_part('epoch', k.expires_at) * 1000 as expires_at,
      date_part('epoch', p.disabled_until) * 1000 as disabled_until,
      p.quota_max, q.period, q.ends as period_ends, qu.used, tp.limits
    from apikey k
      join api_key_policy p on p.key_id = k.id
      left join "user" u on k.config_id = 'default' and u.id = k.reference_id
      left join organization o on o.id = p.tenant_id
      left join epoch te on te.subject = 't:' || p.tenant_id
      left join epoch ue on ue.subject = 'u:' || coalesce(u.id, 'key:' || k.id)
      left join tenant_policy tp on tp.tenant_id = p.tenant_id
      left join lateral (
        select case p.quota_period when 'month' then to_char(now() at time zone 'utc', 'YYYY-MM') else 'total' end as period,
          case p.quota_period when 'month'
            then date_part('epoch', date_trunc('month', now() at time zone 'utc') + interval '1 month') * 1000 end as ends
      ) q on p.quota_max is not null
      left join quota_use qu on qu.chain_id = p.chain_id and qu.period = q.period
    where k.key = ${hash}
    limit 1`);
  const [row] = rows;
  if (!row) return null;
  return {
    version: Number(row.version),
    tenantEpoch: Number(row.tenant_epoch),
    userEpoch: Number(row.user_epoch),
    record: {
      kind: "api_key",
      id: row.id,
      name: row.name,
      chainId: row.chain_id,
      userId: row.user_id ?? keyUserId(row.id),
      tenantId: row.tenant_id,
      scopes: scopesOf(row.permissions),
      isAdministrator: row.is_administrator,
      works: row.works,
      expiresAt: row.expires_at,
      disabledUntil: row.disabled_until,
      addresses: row.addresses && rangesOf(row.addresses),
      servers: row.servers,
      tools: row.tools,
      plan: planOf(limits, tenantLimits(row.limits), rateOf(row)),
      hasOwnRate: row.per_minute !== null,
      quota: quotaOf(row),
    },
  };
}

interface GrantRow extends Record<string, unknown> {
  works: boolean;
  is_administrator: boolean;
  tenant_epoch: string;
  user_epoch: string;
  limits: unknown;
}

/** What the claims of a verified access token say about its grant. */
export interface GrantClaims {
  grantId: string;
  clientGrantId: string | undefined;
  clientId: string;
  userId: string;
  tenantId: string;
}

/**
 * The record of an OAuth grant: whether the grant, its client and its subject still exist and are active. One
 * statement.
 */
export async function grantRecord({ db, limits }: FillDeps, claims: GrantClaims): Promise<VersionedRecord> {
  const { grantId, clientGrantId = null, clientId, userId, tenantId } = claims;
  const isMachine = userId === machineUserId(clientId);
  const { rows } = await db.execute<GrantRow>(sql`
    select coalesce(te.value, 0) as tenant_epoch, coalesce(ue.value, 0) as user_epoch, tp.limits,
      ${administratorRoleSql(sql`u.role`)} as is_administrator,
      not exists (select 1 from ended_grant where grant_id in (${grantId}, ${clientGrantId}))
        and exists (select 1 from oauth_client where client_id = ${clientId} and disabled is not true)
        and case when ${isMachine}::boolean then exists (select 1 from organization where id = ${tenantId})
          else u.id is not null and ${activeSql("u")} and ${actsInSql({ tenantId, userId })} end as works
    from (select 1) one
      left join "user" u on u.id = ${userId}
      left join epoch te on te.subject = ${`t:${tenantId}`}
      left join epoch ue on ue.subject = ${`u:${userId}`}
      left join tenant_policy tp on tp.tenant_id = ${tenantId}`);
  const [row] = rows;
  if (!row) throw new Error("the grant's statement has one row");
  const record: CredentialRecord = {
    kind: "grant",
    id: grantId,
    name: null,
    chainId: grantId,
    userId,
    tenantId,
    scopes: null,
    isAdministrator: row.is_administrator,
    works: row.works,
    expiresAt: null,
    disabledUntil: null,
    addresses: null,
    servers: null,
    tools: null,
    plan: planOf(limits, tenantLimits(row.limits), null),
    hasOwnRate: false,
    quota: null,
  };
  return { version: 1, tenantEpoch: Number(row.tenant_epoch), userEpoch: Number(row.user_epoch), record };
}

function scopesOf(permissions: string | null): Scope[] {
  if (permissions === null) return [];
  try {
    return permissionsToScopes(JSON.parse(permissions));
  } catch {
    return [];
  }
}

/**
 * Drops entries that are not ranges. A list that becomes empty this way allows no address, so the mistake opens
 * nothing.
 */
const rangesOf = (addresses: readonly string[]): AddressRange[] =>
  addresses.map(addressRange).filter((range) => range !== undefined);

const rateOf = ({ per_minute: perMinute, burst }: KeyRow) =>
  perMinute === null ? null : { perMinute, burst: burst ?? perMinute };

function tenantLimits(limits: unknown): LimitSettings {
  const parsed = limitSettings.safeParse(limits ?? {});
  return parsed.success ? parsed.data : {};
}

function quotaOf({ quota_max: max, period, used, period_ends: endsAt }: KeyRow): Quota | null {
  return max === null || period === null ? null : { max: Number(max), period, used: Number(used ?? 0), endsAt };
}
