import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import { scopesToPermissions } from "../identity/scopes.ts";
import { administersSql } from "../identity/standing.ts";
import { textList, utc } from "../platform/postgres/sql.ts";
import { keyOf, isManagedBy, selectKey } from "./keys.ts";
import type { KeyActor, KeyChange, KeyCommandDeps, KeyDone, KeyRefusal, KeyRow } from "./keys.ts";
import { beyondActor, checkKeyFields, NOT_ADMINISTRATOR, RESTRICTED } from "./rules.ts";

type Verdict = "done" | "revoked" | "rotated" | "not_administrator";

/**
 * Changes the given fields of a key, in one request to Postgres; the change is in force when this resolves. Concurrent
 * changes of one key are applied one after the other.
 */
export async function updateKey(
  { db, flushOutbox }: KeyCommandDeps,
  actor: KeyActor,
  id: string,
  change: KeyChange,
  now: number,
): Promise<KeyDone | KeyRefusal> {
  const names = fieldsOf(change);
  if (actor.restricted && !narrowsOnly(change)) return RESTRICTED;
  const checked = checkKeyFields(change, now);
  if ("problems" in checked) return { state: "refused", problems: checked.problems };
  const { fields } = checked;
  const beyond = fields.scopes && beyondActor(actor, fields.scopes);
  if (beyond) return beyond;

  const keySets = sql.join([...keyAssignments(fields), sql`updated_at = ${utc(now)}`], sql`, `);
  const policySets = policyAssignments(fields);
  const [, { rows }, { rows: found }] = await db.batch([
    db.execute(lockKey(id)),
    db.execute<{ verdict: Verdict }>(sql`
      with standing as (
        select k.id, p.tenant_id, case
          when p.revoked_at is not null then 'revoked'
          when p.rotated_to is not null and ${fields.expiresAt !== undefined}::boolean then 'rotated'
          when ${fields.scopes?.includes("admin") === true}::boolean and (k.config_id <> 'default' or not ${administersSql(actor.userId)})
            then 'not_administrator'
          else 'done' end as verdict
        from apikey k join api_key_policy p on p.key_id = k.id where k.id = ${id} and ${isManagedBy(actor)}
      ), changing as (
        select * from standing where verdict = 'done' and ${names.length > 0}::boolean
      ), changed as (
        update apikey set ${keySets} from changing where apikey.id = changing.id
      )${policySets.length === 0 ? sql`` : sql`, policy as (update api_key_policy set ${sql.join(policySets, sql`, `)} from changing where key_id = changing.id)`},
      entry as (${changeEntry({ event: "key.changed", actor, now, from: sql`changing`, target: sql`id`, detail: { fields: names.join(" ") } })})
      select verdict from standing`),
    db.execute<KeyRow>(selectKey(actor, id, now)),
  ]);
  const verdict = rows[0]?.verdict;
  const info = keyOf(found, now);
  if (verdict === undefined || !info) return { state: "unknown" };
  if (verdict !== "done") return REFUSALS[verdict];
  await flushOutbox();
  return { state: "done", info };
}

/**
 * Locks a key. The first statement of a batch that changes it, so that the next one sees what an earlier batch wrote.
 */
export const lockKey = (id: string): SQL => sql`select 1 from apikey where id = ${id} for no key update`;

const REFUSALS: Record<Exclude<Verdict, "done">, KeyRefusal> = {
  revoked: { state: "conflict", problem: "This key is revoked and cannot be used again. Create another key." },
  rotated: {
    state: "conflict",
    problem:
      "This key has been rotated and stops working when its overlap ends. Change the expiry of the key that replaces it.",
  },
  not_administrator: NOT_ADMINISTRATOR,
};

const fieldsOf = (change: KeyChange) =>
  Object.entries(change)
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name)
    .toSorted((a, b) => a.localeCompare(b));

/** Whether a change only renames or disables a key. A restricted credential may do no more to a key. */
const narrowsOnly = (change: KeyChange) =>
  fieldsOf(change).every((name) => name === "name" || (name === "enabled" && change.enabled === false));

function keyAssignments({ name, scopes, enabled, expiresAt }: KeyChange): SQL[] {
  return [
    name !== undefined && sql`name = ${name}`,
    scopes !== undefined && sql`permissions = ${JSON.stringify(scopesToPermissions(scopes))}`,
    enabled !== undefined && sql`enabled = ${enabled}`,
    expiresAt !== undefined && sql`expires_at = ${expiresAt ? utc(expiresAt.getTime()) : null}`,
  ].filter((assignment) => assignment !== false);
}

function policyAssignments({ servers, tools, addresses, rate, quota }: KeyChange): SQL[] {
  return [
    servers !== undefined && sql`servers = ${textList(servers)}`,
    tools !== undefined && sql`tools = ${textList(tools)}`,
    addresses !== undefined && sql`addresses = ${textList(addresses)}`,
    rate !== undefined && sql`per_minute = ${rate?.perMinute ?? null}, burst = ${rate?.burst ?? null}`,
    quota !== undefined && sql`quota_max = ${quota?.max ?? null}, quota_period = ${quota?.period ?? null}`,
  ].filter((assignment) => assignment !== false);
}
