import { sql } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import { scopesToPermissions } from "../identity/scopes.ts";
import {
  activeSql,
  actsInSql,
  administratorRoleSql,
  isPersonalTenant,
  managesSql,
  personalTenantId,
} from "../identity/standing.ts";
import { sha256 } from "../platform/crypto.ts";
import { uuidv7 } from "../platform/crypto.ts";
import { textList, utc } from "../platform/postgres/sql.ts";
import { keyOf, selectKey } from "./keys.ts";
import type { KeyActor, KeyCommandDeps, KeyMade, KeyRefusal, KeyRow, NewKey } from "./keys.ts";
import { beyondActor, checkKeyFields, DEFAULT_KEY_SCOPES, KEY_LIMITS, NOT_ADMINISTRATOR, RESTRICTED } from "./rules.ts";
import { generateApiKey, KEY_START_LENGTH } from "./token.ts";

type Verdict = "done" | "not_member" | "not_manager" | "not_administrator" | "full";

/**
 * Creates a key with at most the actor's scopes, in one of the actor's tenants. The key's secret is in this answer
 * only. One request to Postgres, with the owner's row locked, so that concurrent creations cannot exceed the limit
 * together.
 */
export async function createKey(
  { db }: Pick<KeyCommandDeps, "db">,
  actor: KeyActor,
  input: NewKey,
  now: number,
): Promise<KeyMade | KeyRefusal> {
  if (actor.restricted) return RESTRICTED;
  const wished = input.scopes ?? DEFAULT_KEY_SCOPES.filter((scope) => actor.scopes.has(scope));
  const checked = checkKeyFields({ ...input, scopes: wished }, now);
  if ("problems" in checked) return { state: "refused", problems: checked.problems };
  const beyond = beyondActor(actor, wished);
  if (beyond) return beyond;

  const { userId } = actor;
  const { name, scopes, expiresAt, servers, tools, addresses, rate, quota, owner = "user" } = checked.fields;
  const tenantId = input.tenantId ?? actor.tenantId ?? personalTenantId(userId);
  if (actor.tenantId !== null && tenantId !== actor.tenantId) return NO_TENANT;
  const ofOrganization = owner === "organization";
  const [configId, referenceId] = ofOrganization ? ["organization", tenantId] : ["default", userId];
  const [key, id] = [generateApiKey("live"), uuidv7(now)];
  const permissions = JSON.stringify(scopesToPermissions(scopes));

  const [, { rows }, { rows: made }] = await db.batch([
    db.execute(
      ofOrganization
        ? sql`select 1 from organization where id = ${tenantId} for no key update`
        : sql`select 1 from "user" where id = ${userId} for no key update`,
    ),
    db.execute<{ verdict: Verdict }>(sql`
      with standing as (
        select case
          when not ${actsInSql({ tenantId, userId })} then 'not_member'
          when ${ofOrganization}::boolean and (${isPersonalTenant(tenantId)}::boolean or not ${managesSql({ tenantId, userId })}) then 'not_manager'
          when ${scopes.includes("admin")}::boolean and (${ofOrganization}::boolean or not ${administratorRoleSql(sql`u.role`)})
            then 'not_administrator'
          when (
            select count(*) from apikey k join api_key_policy p on p.key_id = k.id
            where k.reference_id = ${referenceId} and k.config_id = ${configId} and p.revoked_at is null
              and (k.expires_at is null or k.expires_at > ${utc(now)})) >= ${KEY_LIMITS.live} then 'full'
          else 'done' end as verdict
        from "user" u where u.id = ${userId} and ${activeSql("u")}
      ), made as (
        insert into apikey (id, config_id, name, start, reference_id, key, enabled, rate_limit_enabled, request_count, expires_at,
          created_at, updated_at, permissions)
        select ${id}, ${configId}, ${name}, ${key.slice(0, KEY_START_LENGTH)}, ${referenceId}, ${await sha256(key)}, true, false, 0,
          ${expiresAt ? utc(expiresAt.getTime()) : null}::timestamp, ${utc(now)}, ${utc(now)}, ${permissions}
        from standing where verdict = 'done' returning id
      ), policy as (
        insert into api_key_policy (key_id, tenant_id, chain_id, created_by, servers, tools, addresses, per_minute, burst, quota_max,
          quota_period)
        select id, ${tenantId}, id, ${userId}, ${textList(servers)}, ${textList(tools)}, ${textList(addresses)},
          ${rate?.perMinute ?? null}::int, ${rate?.burst ?? null}::int, ${quota?.max ?? null}::bigint, ${quota?.period ?? null}
        from made returning key_id as id, tenant_id
      ), entry as (${changeEntry({ event: "key.created", actor, now, from: sql`policy`, target: sql`id`, detail: { owner, scopes: scopes.join(" ") } })})
      select verdict from standing`),
    db.execute<KeyRow>(selectKey(actor, id, now)),
  ]);
  const info = keyOf(made, now);
  return info ? { state: "done", key, info } : refusalFor(rows[0]?.verdict);
}

const NO_TENANT: KeyRefusal = {
  state: "forbidden",
  problem: "You can create keys only in your organizations, and only in the one that your credential acts in.",
};

function refusalFor(verdict: Verdict | undefined): KeyRefusal {
  switch (verdict) {
    case "not_member":
      return NO_TENANT;
    case "not_manager":
      return {
        state: "forbidden",
        problem:
          "Only owners and administrators of an organization can create its keys. A personal organization has no keys of its own.",
      };
    case "not_administrator":
      return NOT_ADMINISTRATOR;
    case "full":
      return { state: "conflict", problem: `There are ${KEY_LIMITS.live} keys in use. Revoke one that is not needed.` };
    case undefined:
      return {
        state: "forbidden",
        problem: "Only people can create keys, and this credential does not act for a person.",
      };
    case "done":
      throw new Error("the key that was created was not found");
    default:
      return verdict satisfies never;
  }
}
