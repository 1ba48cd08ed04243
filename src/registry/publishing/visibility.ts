import { sql, type SQL } from "drizzle-orm";
import { actsInSql, administersSql, managesSql } from "../../identity/standing.ts";
import { changeEntry } from "../../audit/entry.ts";
import type { AuditEventName, TenantActor } from "../../audit/event.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { parseName } from "../name.ts";
import { lockOwner, ownerOf } from "../namespaces/namespaces.ts";

/**
 * The result of a change. `done`: also when nothing had to change. `unknown`: there is no such server, or the person is
 * not a member of the tenant. `forbidden`: only owners and administrators may do this. `impossible`: see the function.
 */
export type Curated = "done" | "unknown" | "forbidden" | "impossible";

type CurateDb = Pick<Db, "execute" | "batch">;

/**
 * Makes a server with all its versions public, or private to its tenant. The name of a public server must be in a
 * namespace of the tenant. Only administrators of the gateway can make a mirrored server with another name public,
 * because a source can list any name. `now` is epoch milliseconds.
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
 * Makes the entry of a server point to one of the tenant's enabled upstreams behind this gateway; null: to its own
 * remotes and packages.
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

/**
 * Whether a person may manage a tenant's servers (owners and administrators only), and the upstreams to choose from.
 */
export interface Curation {
  curates: boolean;
  /** Slugs of the tenant's enabled upstreams that entries can point to. */
  upstreams: string[];
}

/** What the person may manage. One statement. */
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
  /** Columns that are copied to the versions, as SQL. */
  copied: SQL;
  event: AuditEventName;
  detail: Readonly<Record<string, string | boolean>>;
  now: number;
}

/**
 * Makes the change, its copies and its audit entry in one transaction. Each version gets a new `updated_at`, so that
 * registries that mirror this one see the change.
 */
async function curate(
  db: CurateDb,
  actor: TenantActor,
  name: string,
  { set, isOther, isPossible, copied, event, detail, now }: Change,
): Promise<Curated> {
  const { tenantId, userId } = actor;
  // A release of the namespace at the same time runs before or after this change, not in between.
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
