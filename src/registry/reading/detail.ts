import { sql } from "drizzle-orm";
import type { Db } from "../../platform/postgres/db.ts";
import { entryColumns, entryOf, type EntryRow, type RegistryEntry, type RegistryView } from "./entry.ts";
import { inView, isThere } from "./servers.ts";

/** An entry in a list of versions. */
export type VersionSummary = Pick<RegistryEntry, "name" | "version" | "status" | "publishedAt" | "isLatest">;

/**
 * A version of a server and a list of its versions, newest first. `hasMore`: there are older ones that are not listed.
 */
export interface ServerDetail {
  entry: RegistryEntry;
  versions: VersionSummary[];
  hasMore: boolean;
}

const MAX_VERSIONS = 100;

/**
 * One version of a server, by default the latest, with a list of its versions; null when the view does not have it. One
 * statement, which reads the definition of that version only: each may have 64 KB.
 */
export async function findServer(
  db: Pick<Db, "execute">,
  view: RegistryView,
  name: string,
  { version, includeDeleted }: { version: string | undefined; includeDeleted: boolean },
): Promise<ServerDetail | null> {
  const { rows } = await db.execute<EntryRow & { is_chosen: boolean }>(sql`
    with seen as (
      select ${entryColumns} from registry_version v join registry_server s on s.id = v.server_id
      where ${inView(view)} and v.name = ${name} and ${isThere(includeDeleted)}
    ), chosen as (
      select version from seen where ${version === undefined ? sql`true` : sql`version = ${version}`}
      order by is_latest desc, published_at desc, version desc limit 1
    )
    select seen.name, seen.version, case when seen.version = chosen.version then definition end as definition, status, status_message,
      status_changed_at, published_at, updated_at, is_latest, is_public, gateway_slug, seen.version = chosen.version as is_chosen
    from seen, chosen order by is_chosen desc, published_at desc, seen.version desc limit ${MAX_VERSIONS + 1}`);
  const chosen = rows.find((row) => row.is_chosen);
  if (chosen === undefined) return null;
  const versions = rows
    .slice(0, MAX_VERSIONS)
    .map(entryOf)
    .toSorted((a, b) => b.publishedAt.getTime() - a.publishedAt.getTime() || (a.version < b.version ? 1 : -1));
  return { entry: entryOf(chosen), versions, hasMore: rows.length > MAX_VERSIONS };
}
