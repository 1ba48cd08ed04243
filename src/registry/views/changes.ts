import { sql, type SQL } from "drizzle-orm";
import { managesSql } from "../../identity/standing.ts";
import { changeEntry } from "../../audit/entry.ts";
import type { AuditEventName, TenantActor } from "../../audit/event.ts";
import { sha256 } from "../../platform/crypto.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { uuidv7 } from "../../platform/crypto.ts";
import { instant } from "../../platform/postgres/sql.ts";
import { generateViewSecret } from "./views.ts";

type ViewDeps = { db: Pick<Db, "execute"> };

/** A private view without its secret, which is shown only when the view is created. */
export interface ViewInfo {
  id: string;
  name: string;
  addresses: string[] | null;
  createdAt: Date;
  createdBy: string | null;
  endsAt: Date | null;
  lastUsedAt: Date | null;
}

export type ViewRefusal = { state: "forbidden" } | { state: "unknown" } | { state: "full" } | { state: "ending" };

/** Most private views of one tenant that have not ended. */
export const MAX_VIEWS = 50;

interface InfoRow extends Record<string, unknown> {
  verdict: "done" | ViewRefusal["state"];
  id: string | null;
  name: string;
  addresses: string[] | null;
  created_at: string;
  created_by: string | null;
  ends_at: string | null;
  last_used_at: string | null;
}

const INFO = sql`id, name, addresses, created_at, created_by, ends_at, last_used_at`;

/**
 * All private views of the tenant, newest first, including ended ones. Undefined when the actor does not manage the
 * tenant.
 */
export async function viewsOf({ db }: ViewDeps, actor: TenantActor): Promise<ViewInfo[] | undefined> {
  const { rows } = await db.execute<InfoRow>(sql`
    with standing as (select ${managesSql(actor)} as may)
    select case when may then 'done' else 'forbidden' end as verdict, ${INFO}
    from standing left join registry_view v on may and v.tenant_id = ${actor.tenantId} order by created_at desc, id desc`);
  return rows[0]?.verdict === "done" ? rows.filter(({ id }) => id !== null).map(infoOf) : undefined;
}

/** Creates a private view. Only this answer has the secret. One statement. `now` is in epoch milliseconds. */
export async function createView(
  { db }: ViewDeps,
  actor: TenantActor,
  { name, addresses }: { name: string; addresses: readonly string[] | null },
  now: number,
): Promise<{ state: "done"; secret: string; info: ViewInfo } | ViewRefusal> {
  const secret = generateViewSecret();
  const { rows } = await db.execute<InfoRow>(sql`
    with standing as (
      select case when not ${managesSql(actor)} then 'forbidden' when (
        select count(*) from registry_view where tenant_id = ${actor.tenantId} and (ends_at is null or ends_at > ${instant(now)})
      ) >= ${MAX_VIEWS} then 'full' else 'done' end as verdict
    ), made as (
      insert into registry_view (id, tenant_id, name, secret_hash, addresses, created_at, created_by)
      select ${uuidv7(now)}::uuid, ${actor.tenantId}, ${name}, ${await sha256(secret)},
        ${addresses === null ? sql`null` : sql`${sql.param([...addresses])}`}::text[], ${instant(now)}, ${actor.userId}
      from standing where verdict = 'done' returning *
    ), entry as (${entered("registry.view_created", sql`made`, actor, now)})
    select verdict, ${INFO} from standing left join made on true`);
  return settled(rows, secret);
}

/**
 * Creates a view that replaces another, for the same addresses. Both answer until the overlap ends. One statement. Of
 * two rotations at the same time, the second one gets `ending`.
 */
export async function rotateView(
  { db }: ViewDeps,
  actor: TenantActor,
  { id, overlapSeconds }: { id: string; overlapSeconds: number },
  now: number,
): Promise<{ state: "done"; secret: string; info: ViewInfo } | ViewRefusal> {
  const secret = generateViewSecret();
  const { rows } = await db.execute<InfoRow>(sql`
    with standing as (select ${managesSql(actor)} as may,
      exists (select 1 from registry_view where id = ${id}::uuid and tenant_id = ${actor.tenantId}) as is_there
    ), ended as (
      update registry_view set ends_at = ${instant(now + overlapSeconds * 1000)} from standing
      where may and registry_view.id = ${id}::uuid and tenant_id = ${actor.tenantId} and ends_at is null returning registry_view.*
    ), made as (
      insert into registry_view (id, tenant_id, name, secret_hash, addresses, created_at, created_by)
      select ${uuidv7(now)}::uuid, tenant_id, name, ${await sha256(secret)}, addresses, ${instant(now)}, ${actor.userId}
      from ended returning *
    ), entry as (${entered("registry.view_rotated", sql`ended`, actor, now)})
    select case when not may then 'forbidden' when not is_there then 'unknown' when made.id is null then 'ending' else 'done' end
      as verdict, ${INFO}
    from standing left join made on true`);
  return settled(rows, secret);
}

/** Deletes a private view. This isolate stops serving it at once, the others within seconds. One statement. */
export async function deleteView(
  { db }: ViewDeps,
  actor: TenantActor,
  id: string,
  now: number,
): Promise<{ state: "done" } | ViewRefusal> {
  const { rows } = await db.execute<InfoRow>(sql`
    with standing as (select ${managesSql(actor)} as may), gone as (
      delete from registry_view using standing
      where may and registry_view.id = ${id}::uuid and tenant_id = ${actor.tenantId} returning registry_view.*
    ), entry as (${entered("registry.view_deleted", sql`gone`, actor, now)})
    select case when not may then 'forbidden' when gone.id is null then 'unknown' else 'done' end as verdict
    from standing left join gone on true`);
  const verdict = rows[0]?.verdict ?? "forbidden";
  return { state: verdict };
}

/** The audit entry of a change, for the row of `from` if there is one. */
const entered = (event: AuditEventName, from: SQL, actor: TenantActor, now: number): SQL =>
  changeEntry({
    event,
    actor,
    now,
    from,
    target: sql`id::text`,
    detail: { sql: sql`jsonb_build_object('name', name)` },
  });

function settled([row]: InfoRow[], secret: string): { state: "done"; secret: string; info: ViewInfo } | ViewRefusal {
  const verdict = row?.verdict ?? "forbidden";
  if (row === undefined || verdict !== "done") return { state: verdict === "done" ? "forbidden" : verdict };
  return { state: "done", secret, info: infoOf(row) };
}

const timeOf = (text: string | null) => (text === null ? null : new Date(text));

const infoOf = (row: InfoRow): ViewInfo => ({
  id: row.id ?? "",
  name: row.name,
  addresses: row.addresses,
  createdAt: new Date(row.created_at),
  createdBy: row.created_by,
  endsAt: timeOf(row.ends_at),
  lastUsedAt: timeOf(row.last_used_at),
});
