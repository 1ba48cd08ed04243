import { sql } from "drizzle-orm";
import { changeEntry } from "../../audit/entry.ts";
import type { Actor } from "../../audit/event.ts";
import type { Db } from "../../platform/postgres/db.ts";
import type { ServerDefinition } from "../definition/definition.ts";
import { entryColumns, entryOf, type EntryRow, type RegistryEntry } from "../reading/entry.ts";
import type { IdempotentRequest } from "./idempotency.ts";
import { parseName, skeleton } from "../name.ts";
import { lockOwner, ownerOf } from "../namespaces/namespaces.ts";
import { isNewer, type Release } from "../version.ts";

/**
 * Who publishes, and for which tenant. Without `userId`, the person is unknown, as for a pipeline with a publisher
 * token.
 */
export interface Publisher extends Actor {
  tenantId: string;
  /**
   * `owned`: all namespaces of the tenant. Otherwise patterns of names, as in a publisher token: `com.example/*`,
   * `com.example.*`.
   */
  namespaces: "owned" | readonly string[];
}

/** The result of publishing. `namespace`: the publisher may not use this namespace. */
export type Published =
  | { state: "published"; entry: RegistryEntry }
  | { state: "namespace" | "look_alike" | "mirrored" | "version_exists" | "full" };

/** As in the official registry. */
const MAX_VERSIONS = 10_000;
/** Each further attempt means that another publish was faster; so many at the same time are not expected. */
const MAX_ATTEMPTS = 64;

/** Whether the publisher's credential allows a name. */
export const allowsName = ({ namespaces }: Pick<Publisher, "namespaces">, name: string): boolean =>
  namespaces === "owned" ||
  namespaces.some((pattern) => pattern.endsWith("*") && name.toLowerCase().startsWith(pattern.slice(0, -1)));

/**
 * Publishes a checked definition as a new version, which is never changed afterwards. One transaction writes the
 * version, the `is_latest` flags, the audit entry and the stored answer of an idempotent request. Concurrent publishes
 * add each version once and leave the right one latest. One request to Postgres for a new server, two for a further
 * version. `now` is epoch milliseconds.
 */
export async function publish(
  db: Pick<Db, "batch" | "execute">,
  publisher: Publisher,
  definition: ServerDefinition,
  now: number,
  request?: IdempotentRequest,
): Promise<Published> {
  if (!allowsName(publisher, definition.name)) return { state: "namespace" };
  let latest: Release | null = null;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const row = await tryPublish(db, publisher, definition, { latest, now, request });
    if (row.verdict === "published") return { state: "published", entry: entryOf(row) };
    if (row.verdict !== "moved") return { state: row.verdict };
    latest =
      row.latest_version === null || row.latest_at === null
        ? null
        : { version: row.latest_version, publishedAt: new Date(row.latest_at).getTime() };
  }
  throw Object.assign(new Error("too many publishes of this server at the same time"), { code: "40001" });
}

interface Attempt extends EntryRow {
  verdict: Published["state"] | "moved";
  latest_version: string | null;
  latest_at: string | null;
}

/** One attempt, assuming that `latest` is the latest version. `moved`: it is not; the answer names the one that is. */
async function tryPublish(
  db: Pick<Db, "batch" | "execute">,
  actor: Publisher,
  definition: ServerDefinition,
  { latest, now, request }: { latest: Release | null; now: number; request: IdempotentRequest | undefined },
): Promise<Attempt> {
  const { tenantId, userId } = actor;
  const { name, version } = definition;
  const namespace = (parseName(name)?.namespace ?? "").toLowerCase();
  const looks = skeleton(name);
  const at = new Date(now).toISOString();
  const isLatest = latest === null || isNewer({ version, publishedAt: now }, latest);
  const isOwned = sql`exists (select 1 from (${ownerOf(namespace)}) as owner where owner.tenant_id = ${tenantId})`;
  const [, , , , { rows }] = await db.batch([
    // Serializes publishes of names that look alike. The server's row cannot be locked: it may not exist yet.
    db.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`registry_server ${looks}`}, 0))`),
    db.execute(lockOwner(namespace)),
    db.execute(sql`
      insert into registry_server (tenant_id, name, skeleton)
      select ${tenantId}, ${name}, ${looks} where ${isOwned} and not exists (
        select 1 from registry_server o where o.skeleton = ${looks} and o.name <> ${name} and (
          (o.tenant_id = ${tenantId} and lower(o.name) = lower(${name}))
          or (lower(split_part(o.name, '/', 1)) <> ${namespace}
            and (o.tenant_id = ${tenantId} or o.is_public or o.source_id is null))))
      on conflict (tenant_id, name) do nothing`),
    db.execute(sql`select 1 from registry_server where tenant_id = ${tenantId} and name = ${name} for no key update`),
    db.execute<Attempt>(sql`
      with s as (
        select id, source_id, is_public, gateway_slug from registry_server where tenant_id = ${tenantId} and name = ${name}
      ), latest as (
        select version, published_at from registry_version where server_id = (select id from s) and is_latest limit 1
      ), standing as (
        select case
          when not ${isOwned} then 'namespace'
          when s.id is null then 'look_alike'
          when s.source_id is not null then 'mirrored'
          when exists (select 1 from registry_version where server_id = s.id and version = ${version}) then 'version_exists'
          when (select version from latest) is distinct from ${latest?.version ?? null}::text then 'moved'
          when (select count(*) from registry_version where server_id = s.id) >= ${MAX_VERSIONS} then 'full'
          else 'published' end as verdict
        from (values (1)) as one(n) left join s on true
      ), demoted as (
        update registry_version old set is_latest = false, updated_at = ${at}::timestamptz from standing, s
        where verdict = 'published' and ${isLatest}::boolean and old.server_id = s.id and old.is_latest
      ), v as (
        insert into registry_version (server_id, tenant_id, name, version, is_public, is_latest, definition, status_changed_at,
          published_at, updated_at, published_by)
        select s.id, ${tenantId}, ${name}, ${version}, s.is_public, ${isLatest}::boolean, ${JSON.stringify(definition)}::jsonb, ${at}::timestamptz,
          ${at}::timestamptz, ${at}::timestamptz, ${userId}
        from standing, s where verdict = 'published' returning *, name || '@' || version as target
      ), kept as (
        update idempotent_answer set status = 200, body = (select to_jsonb(e) from (select ${entryColumns} from v, s) as e)
        where owner = ${request?.owner ?? ""} and key = ${request?.key ?? ""} and exists (select 1 from v)
      ), entry as (${changeEntry({ event: "registry.published", actor, now, from: sql`v`, detail: { latest: isLatest } })})
      select standing.verdict, latest.version as latest_version, latest.published_at as latest_at, ${entryColumns}
      from standing left join latest on true left join v on true left join s on true`),
  ]);
  const [row] = rows;
  if (row === undefined) throw new Error("a publish has no verdict");
  return row;
}
