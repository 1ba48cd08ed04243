import { sql } from "drizzle-orm";
import { changeEntry } from "../../audit/entry.ts";
import type { Db } from "../../platform/postgres/db.ts";
import { entryColumns, entryOf, type EntryRow, type RegistryEntry, type ServerStatus } from "../reading/entry.ts";
import { allowsName, type Publisher } from "./publish.ts";

/** A status and the message that readers see; null for `active`. */
export interface StatusChange {
  status: ServerStatus;
  statusMessage: string | null;
}

/** Maximum length of the message, in characters (OpenAPI document of the registry, `StatusUpdateRequest`). */
export const MAX_STATUS_MESSAGE = 500;

/** The result of a change. `entries`: all versions that the request named, newest first. */
export type StatusChanged =
  | { state: "done"; entries: RegistryEntry[] }
  | { state: "unknown" | "namespace" | "mirrored" | "unchanged" };

/**
 * Sets the status of one version, or of all versions when `version` is null, in one transaction. A tenant may withdraw
 * what it has published even after it has released the namespace. `unchanged`: there was nothing to change. `now` is
 * epoch milliseconds.
 */
export async function setStatus(
  db: Pick<Db, "batch" | "execute">,
  actor: Publisher,
  name: string,
  version: string | null,
  { status, statusMessage }: StatusChange,
  now: number,
): Promise<StatusChanged> {
  if (!allowsName(actor, name)) return { state: "namespace" };
  const { tenantId } = actor;
  const at = new Date(now).toISOString();
  const [, { rows: found }, { rows }] = await db.batch([
    db.execute(sql`select 1 from registry_server where tenant_id = ${tenantId} and name = ${name} for no key update`),
    db.execute<{ is_mirrored: boolean; changed: number }>(sql`
      with s as (
        select id, source_id from registry_server where tenant_id = ${tenantId} and name = ${name}
      ), wanted as (
        select server_id, version, status, status_message from registry_version
        where server_id = (select id from s) and (${version}::text is null or version = ${version})
      ), changed as (
        update registry_version v set status = ${status}, status_message = ${statusMessage}, updated_at = ${at}::timestamptz,
          status_changed_at = case when v.status = ${status} then v.status_changed_at else ${at}::timestamptz end
        from wanted w
        where v.server_id = w.server_id and v.version = w.version and (select source_id from s) is null
          and (w.status, w.status_message) is distinct from (${status}::text, ${statusMessage}::text)
        returning v.tenant_id, v.name
      ), done as (
        select distinct tenant_id, name || ${version === null ? "" : `@${version}`} as target from changed
      ), entry as (${changeEntry({ event: "registry.status_changed", actor, now, from: sql`done`, detail: { status, all: version === null } })})
      select s.source_id is not null as is_mirrored, (select count(*)::int from changed) as changed
      from s where exists (select 1 from wanted)`),
    db.execute<EntryRow>(sql`
      select ${entryColumns} from registry_version v join registry_server s on s.id = v.server_id
      where s.tenant_id = ${tenantId} and s.name = ${name} and (${version}::text is null or v.version = ${version})
      order by v.published_at desc, v.version desc`),
  ]);
  const [standing] = found;
  if (standing === undefined) return { state: "unknown" };
  if (standing.is_mirrored) return { state: "mirrored" };
  if (standing.changed === 0) return { state: "unchanged" };
  return { state: "done", entries: rows.map(entryOf) };
}
