import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import { KEY_SCOPES, scopesToPermissions } from "../identity/scopes.ts";
import type { FlushOutbox } from "../platform/outbox.ts";
import { sha256 } from "../platform/crypto.ts";
import { AppError } from "../platform/errors.ts";
import { uuidv7 } from "../platform/crypto.ts";
import { utc } from "../platform/postgres/sql.ts";
import { lockKey } from "./changes.ts";
import { isManagedBy, keyOf, selectKey } from "./keys.ts";
import type { KeyActor, KeyCommandDeps, KeyMade, KeyRefusal, KeyRow } from "./keys.ts";
import { KEY_LIMITS, RESTRICTED } from "./rules.ts";
import { generateApiKey, KEY_START_LENGTH } from "./token.ts";

/** For how many seconds a rotated key still works. */
export const OVERLAP_SECONDS = { usual: 86_400, max: 2_592_000 } as const;

type Verdict = "done" | "revoked" | "rotated" | "expired" | "wider" | "full";

/**
 * Creates a key that replaces another: the same except for its secret, with the same expiry, rate and quota. The old
 * key works until the overlap ends, or until its own expiry if that is earlier. `info` is that of the new key, whose
 * secret is in this answer only. A key can be rotated once: of two concurrent rotations one is refused.
 */
export async function rotateKey(
  { db, flushOutbox }: KeyCommandDeps,
  actor: KeyActor,
  id: string,
  { overlapSeconds = OVERLAP_SECONDS.usual }: { overlapSeconds?: number | undefined },
  now: number,
): Promise<KeyMade | KeyRefusal> {
  if (!Number.isInteger(overlapSeconds) || overlapSeconds < 0 || overlapSeconds > OVERLAP_SECONDS.max) {
    return { state: "refused", problems: { overlapSeconds: `Give whole seconds from 0 to ${OVERLAP_SECONDS.max}.` } };
  }
  const isItself = actor.credential?.kind === "api_key" && actor.credential.id === id;
  if (actor.restricted && !isItself) return RESTRICTED;

  const [key, newId] = [generateApiKey("live"), uuidv7(now)];
  const lacking = KEY_SCOPES.filter((scope) => !actor.scopes.has(scope));
  const detail = { rotatedTo: newId, overlapSeconds };
  const [, { rows }, { rows: made }] = await db.batch([
    db.execute(lockKey(id)),
    db.execute<{ verdict: Verdict }>(sql`
      with standing as (
        select k.id, p.tenant_id, case
          when p.revoked_at is not null then 'revoked'
          when p.rotated_to is not null then 'rotated'
          when k.expires_at <= ${utc(now)} then 'expired'
          when exists (
            select 1 from jsonb_each(${ofType(sql`k.permissions::jsonb`, "object")}) r,
              jsonb_array_elements_text(${ofType(sql`r.value`, "array")}) action
            where r.key || ':' || action = any(${sql.param(lacking.flatMap(permissionsOf))}::text[])) then 'wider'
          when (
            select count(*) from apikey o join api_key_policy op on op.key_id = o.id
            where o.reference_id = k.reference_id and o.config_id = k.config_id and op.revoked_at is null
              and (o.expires_at is null or o.expires_at > ${utc(now)})) > ${KEY_LIMITS.live} then 'full'
          else 'done' end as verdict
        from apikey k join api_key_policy p on p.key_id = k.id where k.id = ${id} and ${isManagedBy(actor)}
      ), rotating as (
        select id, tenant_id from standing where verdict = 'done'
      ), made as (
        insert into apikey (id, config_id, name, start, reference_id, key, enabled, rate_limit_enabled, request_count, expires_at,
          created_at, updated_at, permissions, metadata)
        select ${newId}, k.config_id, k.name, ${key.slice(0, KEY_START_LENGTH)}, k.reference_id, ${await sha256(key)}, k.enabled, false, 0,
          k.expires_at, ${utc(now)}, ${utc(now)}, k.permissions, k.metadata
        from apikey k join rotating on rotating.id = k.id returning id
      ), policy as (
        insert into api_key_policy (key_id, tenant_id, chain_id, created_by, servers, tools, addresses, per_minute, burst, quota_max,
          quota_period, disabled_until)
        select made.id, p.tenant_id, p.chain_id, ${actor.userId}, p.servers, p.tools, p.addresses, p.per_minute, p.burst, p.quota_max,
          p.quota_period, p.disabled_until
        from api_key_policy p join rotating on rotating.id = p.key_id cross join made
      ), ending as (
        update apikey set expires_at = least(expires_at, ${utc(now + overlapSeconds * 1000)}), updated_at = ${utc(now)}
        from rotating where apikey.id = rotating.id
      ), marked as (
        update api_key_policy set rotated_to = ${newId} from rotating where key_id = rotating.id
      ), entry as (${changeEntry({ event: "key.rotated", actor, now, from: sql`rotating`, target: sql`id`, detail })})
      select verdict from standing`),
    db.execute<KeyRow>(selectKey(actor, newId, now)),
  ]);
  const verdict = rows[0]?.verdict;
  if (verdict === undefined) return { state: "unknown" };
  if (verdict !== "done") return REFUSALS[verdict];
  const info = keyOf(made, now);
  if (!info) throw new Error("the key that was created was not found");
  return { state: "done", key, info, isPending: !(await isFlushed(flushOutbox)) };
}

/**
 * Whether Redis knows of the old key's expiry. A failure must not lose the new key, whose secret is in this answer
 * only.
 */
async function isFlushed(flushOutbox: FlushOutbox): Promise<boolean> {
  try {
    await flushOutbox();
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === "revocation_pending") return false;
    throw error;
  }
}

/** SQL: a JSON value, or null when it has another type. Malformed permissions then count as none. */
const ofType = (value: SQL, type: "object" | "array") =>
  sql`case jsonb_typeof(${value}) when ${type} then ${value} end`;

/** The permissions of a scope as `resource:action`, by {@link scopesToPermissions}: `admin` is `admin:*`. */
const permissionsOf = (scope: (typeof KEY_SCOPES)[number]) =>
  Object.entries(scopesToPermissions([scope])).flatMap(([resource, actions]) =>
    actions.map((action) => `${resource}:${action}`),
  );

const REFUSALS: Record<Exclude<Verdict, "done">, KeyRefusal> = {
  revoked: { state: "conflict", problem: "This key is revoked and cannot be used again. Create another key." },
  rotated: { state: "conflict", problem: "This key has already been rotated. Rotate the key that replaces it." },
  expired: { state: "conflict", problem: "This key has expired. Create another key." },
  wider: {
    state: "forbidden",
    problem:
      "This key can do more than your credential, and rotating it would give you the new key. Sign in to the dashboard and rotate it there.",
  },
  full: {
    state: "conflict",
    problem: `There are more than ${KEY_LIMITS.live} keys in use. Revoke one that is not needed.`,
  },
};
