import { sql, type SQL } from "drizzle-orm";
import type { Db } from "../../platform/postgres/db.ts";
import { AppError } from "../../platform/errors.ts";
import { decodeCursor, encodeCursor, type ListFilters } from "./cursor.ts";
import { entryColumns, entryOf, type EntryRow, type RegistryEntry, type RegistryView } from "./entry.ts";

/**
 * A view, or the hash of a private view's secret, which the statement itself resolves: one request to Postgres is
 * enough.
 */
export type ViewScope = RegistryView | { kind: "secret"; hash: string };

/** A statement and the function that reads its rows, so that the caller can send it in a batch with others. */
export interface Question<Answer> {
  query: SQL;
  read: (rows: EntryRow[]) => Answer;
}

export interface EntryPage {
  entries: RegistryEntry[];
  nextCursor: string | null;
}

/** A page of servers. With a cursor, the filters in the cursor apply, not the ones given here. */
export interface ListInput extends ListFilters {
  limit: number;
  cursor?: string;
}

/** Most versions of one server in an answer; the newest ones. */
const MAX_VERSIONS = 1_000;

/** The versions of a view, as a condition. For the public view, use it with {@link isFirstOfName}. */
export function inView(scope: ViewScope): SQL {
  switch (scope.kind) {
    case "tenant":
      return sql`v.tenant_id = ${scope.tenantId}`;
    case "secret":
      return sql`v.tenant_id = (select tenant_id from registry_view where secret_hash = ${scope.hash})`;
    case "public":
      return sql`v.is_public`;
    default:
      return scope satisfies never;
  }
}

/**
 * Several tenants may have a public server with the same name: one published here comes before mirrored ones, then the
 * oldest. Counted rather than `not exists`, so that Postgres looks up each version of a page and does not compare all
 * servers.
 */
export const isFirstOfName = (scope: ViewScope): SQL =>
  scope.kind === "public"
    ? sql`(select count(*) from registry_server o
        where o.skeleton = s.skeleton and o.name = s.name and o.is_public
          and (o.source_id is not null, o.id) < (s.source_id is not null, s.id)) = 0`
    : sql`true`;

/** A `like` pattern for texts that contain this text, with the text's own wildcards escaped. */
export const containing = (text: string): string => `%${text.replace(/[\\%_]/g, "\\$&")}%`;

export const isThere = (includeDeleted: boolean): SQL => (includeDeleted ? sql`true` : sql`v.status <> 'deleted'`);

/**
 * Joins each version with its server by id (`offset 0` keeps Postgres from reading all servers for a page of versions).
 */
const VERSIONS = sql`registry_version v
  join lateral (select * from registry_server where id = v.server_id offset 0) s on true`;

/** @throws AppError `invalid_request` for an invalid cursor. */
export function listQuestion(scope: ViewScope, { limit, cursor: text, ...given }: ListInput): Question<EntryPage> {
  const cursor = text === undefined ? undefined : decodeCursor(text);
  if (text !== undefined && cursor === undefined) throw notACursor();
  const { search, version, updatedSince, includeDeleted } = cursor?.filters ?? given;
  const filters: ListFilters = {
    includeDeleted,
    ...(search !== undefined && { search }),
    ...(version !== undefined && { version }),
    ...(updatedSince !== undefined && { updatedSince }),
  };
  const conditions = [inView(scope), isFirstOfName(scope), isThere(includeDeleted)];
  if (cursor) conditions.push(sql`(v.name, v.version) > (${cursor.after.name}, ${cursor.after.version})`);
  if (version !== undefined) conditions.push(version === "latest" ? sql`v.is_latest` : sql`v.version = ${version}`);
  if (updatedSince !== undefined) conditions.push(sql`v.updated_at >= ${new Date(updatedSince).toISOString()}`);
  if (search !== undefined) conditions.push(says(search, version === "latest"));
  return {
    query: sql`select ${entryColumns} from ${VERSIONS} where ${sql.join(conditions, sql` and `)}
      order by v.name, v.version limit ${limit + 1}`,
    read: (rows) => {
      const entries = rows.slice(0, limit).map(entryOf);
      const last = rows.length > limit ? entries.at(-1) : undefined;
      return { entries, nextCursor: last ? encodeCursor({ after: last, filters }) : null };
    },
  };
}

/**
 * Name or description contain the text, ignoring case. The index covers latest versions only, and more than these two
 * fields: an older version is found when the latest one also contains the text. `case` keeps Postgres from estimating
 * the second condition to be as selective as the first.
 */
function says(text: string, isLatestOnly: boolean): SQL {
  const pattern = containing(text);
  const indexed = isLatestOnly
    ? sql`v.words like lower(${pattern})`
    : sql`v.server_id in (select l.server_id from registry_version l where l.is_latest and l.words like lower(${pattern}))`;
  return sql`${indexed}
    and case when v.name ilike ${pattern} then true else v.definition->>'description' ilike ${pattern} end`;
}

export const versionsQuestion = (
  scope: ViewScope,
  name: string,
  { includeDeleted }: { includeDeleted: boolean },
): Question<RegistryEntry[]> => ({
  query: sql`select ${entryColumns} from ${VERSIONS}
    where ${inView(scope)} and ${isFirstOfName(scope)} and v.name = ${name} and ${isThere(includeDeleted)}
    order by v.published_at desc, v.version desc limit ${MAX_VERSIONS}`,
  read: (rows) => rows.map(entryOf),
});

export const versionQuestion = (
  scope: ViewScope,
  { name, version, includeDeleted }: { name: string; version: string; includeDeleted: boolean },
): Question<RegistryEntry | null> => ({
  query: sql`select ${entryColumns} from ${VERSIONS}
    where ${inView(scope)} and ${isFirstOfName(scope)} and v.name = ${name} and ${isThere(includeDeleted)}
      and ${version === "latest" ? sql`v.is_latest` : sql`v.version = ${version}`} limit 1`,
  read: ([row]) => (row ? entryOf(row) : null),
});

/** Runs one question, as one statement. */
async function ask<Answer>(db: Pick<Db, "execute">, { query, read }: Question<Answer>): Promise<Answer> {
  return read((await db.execute<EntryRow>(query)).rows);
}

/**
 * Versions of the servers in a view, ordered by name and version, after the cursor.
 * @throws AppError `invalid_request` for an invalid cursor.
 */
export const listServers = async (db: Pick<Db, "execute">, view: RegistryView, input: ListInput): Promise<EntryPage> =>
  ask(db, listQuestion(view, input));

/** The versions of a server, newest first, at most a thousand. Empty when the view has no server of that name. */
export const versionsOf = (
  db: Pick<Db, "execute">,
  view: RegistryView,
  name: string,
  options: { includeDeleted: boolean },
): Promise<RegistryEntry[]> => ask(db, versionsQuestion(view, name, options));

/** One version of a server, or the latest for `latest`; null when the view does not have it. */
export const findVersion = (
  db: Pick<Db, "execute">,
  view: RegistryView,
  name: string,
  version: string,
  { includeDeleted }: { includeDeleted: boolean },
): Promise<RegistryEntry | null> => ask(db, versionQuestion(view, { name, version, includeDeleted }));

export const notACursor = () =>
  new AppError("invalid_request", '"cursor" is not a cursor of this registry. Start again without one.');
