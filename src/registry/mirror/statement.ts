import { sql, type SQL } from "drizzle-orm";
import type { MirrorRow } from "./mirror.ts";

const COLUMNS = sql.raw(
  "name text, version text, skeleton text, definition jsonb, status text, status_message text, status_changed_at timestamptz, published_at timestamptz, is_latest boolean, may_be_latest boolean",
);

/**
 * The parts of a `with` clause that store a page. They follow a part `source` (`id`, `tenant_id`); without a row in it,
 * nothing happens. The last two parts, `written` and `demoted`, have a row for each version that changed.
 *
 * A name that was published here, or that another source brought first, is not changed. A deleted version that is not
 * here is not added. Unchanged versions are not written. `updated_at` is the time of this gateway, so that registries
 * that mirror this one see late changes.
 *
 * Servers are inserted in the order of their names, so that two sources of a tenant do not deadlock. `is not distinct
 * from` cannot use an index: this makes Postgres look up the names of the page instead of reading all servers of the
 * source.
 */
export function takeOver(rows: readonly MirrorRow[], { mayAdd, now }: { mayAdd: boolean; now: number }): SQL {
  const at = sql`${new Date(now).toISOString()}::timestamptz`;
  return sql`page as (
    select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as page(${COLUMNS})
  ), known as (
    select s.id, s.name, s.is_public
    from source, (select distinct name from page) named, registry_server s
    where s.tenant_id = source.tenant_id and s.name = named.name and s.source_id is not distinct from source.id
  ), made as (
    insert into registry_server (tenant_id, name, skeleton, source_id)
    select distinct source.tenant_id, page.name, page.skeleton, source.id from page, source
    where ${mayAdd}::boolean and page.status <> 'deleted' and page.name not in (select name from known)
    order by page.name
    on conflict (tenant_id, name) do nothing
    returning id, name, is_public
  ), server as (
    select * from known union all select * from made
  ), wanted as (
    select server.id as server_id, server.is_public, page.name, page.version, page.status, page.status_message, page.status_changed_at,
      page.published_at, page.is_latest, page.may_be_latest, coalesce(page.definition, old.definition) as definition,
      old.server_id is not null as is_here, old.is_latest as was_latest, old.definition as old_definition, old.status as old_status,
      old.status_message as old_message
    from page join server on server.name = page.name
      left join registry_version old on old.server_id = server.id and old.version = page.version
    where old.server_id is not null or page.status <> 'deleted'
  ), latest as (
    select server_id, version from wanted where is_latest
  ), settled as (
    select w.*, case when l.server_id is not null then w.is_latest
        else coalesce(w.was_latest, false) or (w.may_be_latest and not exists (
          select 1 from registry_version v where v.server_id = w.server_id and v.is_latest)) end as now_latest
    from wanted w left join latest l on l.server_id = w.server_id
  ), written as (
    insert into registry_version (server_id, tenant_id, name, version, is_public, is_latest, definition, status, status_message,
      status_changed_at, published_at, updated_at)
    select server_id, source.tenant_id, name, version, is_public, now_latest, definition, status, status_message, status_changed_at,
      published_at, ${at}
    from settled, source
    where not is_here or (now_latest, definition, status, status_message)
      is distinct from (was_latest, old_definition, old_status, old_message)
    on conflict (server_id, version) do update set is_latest = excluded.is_latest, definition = excluded.definition,
      status = excluded.status, status_message = excluded.status_message, status_changed_at = excluded.status_changed_at,
      updated_at = excluded.updated_at
    returning 1
  ), demoted as (
    update registry_version v set is_latest = false, updated_at = ${at} from latest
    where v.server_id = latest.server_id and v.is_latest and v.version <> latest.version
      and not exists (select 1 from wanted w where w.server_id = v.server_id and w.version = v.version)
    returning 1
  )`;
}
