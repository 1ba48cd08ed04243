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

/** Seconds for which a rotated key still works. */
export const OVERLAP_SECONDS = { usual: 86_400, max: 2_592_000 } as const;

type Verdict = "done" | "revoked" | "rotated" | "expired" | "wider" | "full";

/**
 * Makes a key that takes the place of another: the same in all but its secret, with the same expiry, rate and quota. The old one works until
 * the overlap ends, or its own expiry if that is earlier. `info` is of the new key, which is in this answer and nowhere else. A key is
 * rotated once: of two rotations at once one is refused.
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
  if (!info) throw new Error("a key that was made is not there");
  return { state: "done", key, info, isPending: !(await isFlushed(flushOutbox)) };
}

/** The new key is shown in this answer only: that Redis has not heard of the old one's end must not lose it. */
async function isFlushed(flushOutbox: FlushOutbox): Promise<boolean> {
  try {
    await flushOutbox();
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === "revocation_pending") return false;
    throw error;
  }
}

/** A JSON value, or null when it is of another type: what is no list of permissions gives none. */
const ofType = (value: SQL, type: "object" | "array") =>
  sql`case jsonb_typeof(${value}) when ${type} then ${value} end`;

/** A scope as `resource:action`, as far as {@link scopesToPermissions} goes: `admin` is `admin:*`. */
const permissionsOf = (scope: (typeof KEY_SCOPES)[number]) =>
  Object.entries(scopesToPermissions([scope])).flatMap(([resource, actions]) =>
    actions.map((action) => `${resource}:${action}`),
  );

const REFUSALS: Record<Exclude<Verdict, "done">, KeyRefusal> = {
  revoked: { state: "conflict", problem: "This key is revoked for good. Make another one." },
  rotated: { state: "conflict", problem: "This key has been rotated already. Rotate the one that takes its place." },
  expired: { state: "conflict", problem: "This key has expired. Make another one." },
  wider: {
    state: "forbidden",
    problem:
      "This key can do more than your credential, and you would be given one like it. Sign in and rotate it there.",
  },
  full: {
    state: "conflict",
    problem: `There are more than ${KEY_LIMITS.live} keys in use. Revoke one that is not needed.`,
  },
};
