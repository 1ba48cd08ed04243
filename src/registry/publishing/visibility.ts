import { sql, type SQL } from "drizzle-orm";
import { actsInSql, administersSql, managesSql } from "../../identity/standing.ts";
import { changeEntry } from "../../audit/entry.ts";
import type { AuditEventName, TenantActor } from "../../audit/event.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { parseName } from "../name.ts";
import { lockOwner, ownerOf } from "../namespaces/namespaces.ts";

/**
 * What came of it; `done` also when it was so before. `unknown`: no such server, or the person is not in the tenant.
 * `forbidden`: owners and administrators only. `impossible`: see the command.
 */
export type Curated = "done" | "unknown" | "forbidden" | "impossible";

type CurateDb = Pick<Db, "execute" | "batch">;

/**
 * Shows a server with all its versions to everybody, or to its tenant only. To everybody it is shown under a name that
 * is the tenant's own; what was mirrored under the name of others, by administrators of the gateway only: a source can
 * list whatever it likes. `now` is epoch milliseconds.
 */
export const setVisibility = (db: CurateDb, curator: TenantActor, name: string, isPublic: boolean, now: number) =>
  curate(db, curator, name, {
    set: sql`is_public = ${isPublic}`,
    isOther: sql`registry_server.is_public <> ${isPublic}`,
    isPossible: isPublic
      ? sql`(exists (select 1 from (${ownerOf(namespaceOf(name))}) as owner where owner.tenant_id = ${curator.tenantId})
          or (s.source_id is not null and ${administersSql(curator.userId)}))`
      : sql`true`,
    copied: sql`, is_public = ${isPublic}`,
    event: "registry.visibility_changed",
    detail: { public: isPublic },
    now,
  });

const namespaceOf = (name: string): string => (parseName(name)?.namespace ?? "").toLowerCase();

/**
 * Lets the entry of a server lead to one of the tenant's enabled upstreams behind this gateway; null: to its own
 * addresses and packages.
 */
export const setGateway = (db: CurateDb, curator: TenantActor, name: string, slug: string | null, now: number) =>
  curate(db, curator, name, {
    set: sql`gateway_slug = ${slug}::text`,
    isOther: sql`registry_server.gateway_slug is distinct from ${slug}::text`,
    isPossible: sql`(${slug}::text is null or exists (
      select 1 from upstream_server u where u.tenant_id = ${curator.tenantId} and u.slug = ${slug} and u.enabled))`,
    copied: sql``,
    event: "registry.gateway_changed",
    detail: { gateway: slug ?? "" },
    now,
  });

/** What a person may decide about a tenant's servers: nothing, unless they are an owner or administrator of it. */
export interface Curation {
  curates: boolean;
  /** Slugs of the tenant's enabled upstreams, to which entries can lead. */
  upstreams: string[];
}

/** One statement. */
export async function curationOf(
  db: Pick<Db, "execute">,
  { tenantId, userId }: Pick<TenantActor, "tenantId" | "userId">,
): Promise<Curation> {
  const { rows } = await db.execute<{ upstreams: string[] }>(sql`
    select array(select u.slug from upstream_server u where u.tenant_id = ${tenantId} and u.enabled order by u.slug) as upstreams
    where ${managesSql({ tenantId, userId })}`);
  return { curates: rows.length > 0, upstreams: rows[0]?.upstreams ?? [] };
}

interface Change {
  set: SQL;
  isOther: SQL;
  isPossible: SQL;
  /** What the versions keep a copy of. */
  copied: SQL;
  event: AuditEventName;
  detail: Readonly<Record<string, string | boolean>>;
  now: number;
}

/**
 * One transaction: the change, its copies, and its audit entry. Each version counts as updated, so that who mirrors
 * this registry hears of it.
 */
async function curate(
  db: CurateDb,
  actor: TenantActor,
  name: string,
  { set, isOther, isPossible, copied, event, detail, now }: Change,
): Promise<Curated> {
  const { tenantId, userId } = actor;
  // Who gives the namespace back at the same time comes before or after, not between.
  const [, { rows }] = await db.batch([
    db.execute(lockOwner(namespaceOf(name))),
    db.execute<{ verdict: Curated }>(sql`
    with s as (
      select s.id, ${managesSql({ tenantId, userId })} as may, ${isPossible} as is_possible
      from registry_server s where s.tenant_id = ${tenantId} and s.name = ${name} and ${actsInSql({ tenantId, userId })}
    ), changed as (
      update registry_server set ${set} from s
      where registry_server.id = s.id and s.may and s.is_possible and ${isOther}
      returning registry_server.id, registry_server.tenant_id, registry_server.name as target
    ), versions as (
      update registry_version set updated_at = ${new Date(now).toISOString()}::timestamptz ${copied}
      where server_id in (select id from changed)
    ), entry as (${changeEntry({ event, actor, now, from: sql`changed`, detail })})
    select case when not may then 'forbidden' when not is_possible then 'impossible' else 'done' end as verdict
    from s`),
  ]);
  return rows[0]?.verdict ?? "unknown";
}
