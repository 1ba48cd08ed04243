import { sql, type SQL } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "../../platform/postgres/db.ts";
import { packJson, unpackJson } from "../../platform/json.ts";
import { entryColumns, entryOf, type EntryRow, type RegistryView, type ServerStatus } from "./entry.ts";
import { containing, inView, isFirstOfName, notACursor, type EntryPage } from "./servers.ts";

export const TRANSPORTS = ["stdio", "streamable-http", "sse"] as const;
export const PACKAGE_TYPES = ["npm", "pypi", "oci", "nuget", "mcpb", "cargo"] as const;

/**
 * A search. Without text: all servers, by name. Without a status: all but deleted ones. Each page needs the same text
 * and filters as its cursor.
 */
export interface SearchInput {
  text: string;
  transport?: (typeof TRANSPORTS)[number];
  packageType?: (typeof PACKAGE_TYPES)[number];
  status?: ServerStatus;
  limit: number;
  cursor?: string;
}

/**
 * Minimum word similarity for mistyped words (pg_trgm, 0 to 1): `githb` and `github` have 0.67. Swapped letters are
 * searched separately.
 */
const ALIKE = "0.45";
/**
 * Lengths of words for which misspellings are searched: shorter words are similar to too many others, longer ones have
 * too many variants.
 */
const MISTYPED = { min: 4, max: 20 };
/**
 * How many matches of each kind are ranked. Servers whose name begins with the text have their own bound, so other
 * matches cannot displace them.
 */
const MAX_NAMED = 200;
const MAX_FOUND = 300;
const MAX_NEAR = 200;
const MAX_WORDS = 12;

interface FoundRow extends EntryRow {
  score: number;
}

/**
 * The latest versions of matching servers, best first: by name, then by the words of name, title, description, tags and
 * tool names. When nothing matches exactly, similar spellings match too. One request to Postgres.
 * @throws AppError `invalid_request` for an invalid cursor.
 */
export async function searchServers(
  db: Pick<Db, "execute" | "batch">,
  view: RegistryView,
  { text: given, cursor, limit, ...filters }: SearchInput,
): Promise<EntryPage> {
  const text = given
    .toWellFormed()
    .replace(/\p{Cc}/gu, " ")
    .trim()
    .toLowerCase();
  const after = cursor === undefined ? undefined : positionOf(cursor);
  const wanted = sql`v.is_latest and ${inView(view)} and ${filterOf(filters)}`;
  const isFirst = isFirstOfName(view);
  let rows: FoundRow[];
  if (text === "") {
    const next = after ? sql`v.name > ${after.name}` : sql`true`;
    ({ rows } = await db.execute<FoundRow>(sql`
      select ${entryColumns}, 0 as score from registry_version v join registry_server s on s.id = v.server_id
      where ${wanted} and ${isFirst} and ${next} order by v.name limit ${limit + 1}`));
  } else {
    const next = after ? nextOf(after) : sql`true`;
    [, { rows }] = await db.batch([
      // For this transaction only: without an order and with a limit, Postgres would prefer a scan of the whole table
      // to an index.
      db.execute(
        sql`select set_config('pg_trgm.word_similarity_threshold', ${ALIKE}, true), set_config('enable_seqscan', 'off', true)`,
      ),
      db.execute<FoundRow>(ranked(text, wanted, { limit, isFirst, next })),
    ]);
  }
  const entries = rows.slice(0, limit).map(entryOf);
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { entries, nextCursor: last ? cursorOf(last) : null };
}

/**
 * Rows after a position in the order "best score first, then by name": a lower score, or the same score and a later
 * name.
 */
const nextOf = ({ score, name }: Position): SQL =>
  sql`(r.score < ${score} or (r.score = ${score} and r.name > ${name}))`;

/**
 * Finds candidates through indexes, bounds each kind, then ranks them. Scores are whole numbers, so that a cursor holds
 * them exactly. The limits are outside of the bounded queries: with a limit inside, Postgres expects to find enough
 * rows early and scans the table instead of using the index. The limits stop the queries all the same.
 */
function ranked(text: string, wanted: SQL, { limit, isFirst, next }: { limit: number; isFirst: SQL; next: SQL }): SQL {
  const query = sql`(to_tsquery('simple', ${prefixes(text)}) || plainto_tsquery('english', ${text}))`;
  const swapped = sql`to_tsquery('simple', ${swaps(text)})`;
  const name = sql`lower(v.name)`;
  const isLong = wordsIn(text).some((word) => word.length >= MISTYPED.min);
  const candidates = (condition: SQL) =>
    sql`select v.server_id, v.version from registry_version v where ${wanted} and ${condition}`;
  // The search for similar spellings costs most: it runs only when nothing matches exactly.
  const nothing = sql`${isLong}::boolean and not exists (select 1 from exact)`;
  return sql`
    with found as materialized (${candidates(sql`v.terms @@ ${query}`)}
    ), exact as materialized (
      select * from (${candidates(sql`lower(split_part(v.name, '/', 2)) like ${startingWith(text)}`)} limit ${MAX_NAMED}) named
      union select * from (select * from found limit ${MAX_FOUND}) first_found
    ), alike as materialized (${candidates(sql`${nothing} and ${text} <% v.words`)}
    ), swapped as materialized (${candidates(sql`${nothing} and v.terms @@ ${swapped}`)}
    ), near as materialized (
      select * from (select * from alike limit ${MAX_NEAR}) first_alike
      union select * from (select * from swapped limit ${MAX_NEAR}) first_swapped
    ), r as (
      select v.*, s.gateway_slug, round(1000 * (
        case when ${text} in (${name}, split_part(${name}, '/', 2)) then 8
          when split_part(${name}, '/', 2) like ${startingWith(text)} then 4
          when ${name} like ${containing(text)} then 2 else 0 end
        + 2 * ts_rank(v.terms, ${query}) + ts_rank(v.terms, ${swapped}) + 2 * word_similarity(${text}, ${name})
        - case v.status when 'active' then 0 when 'deprecated' then 1 else 2 end))::int as score
      from (select * from exact union select * from near) c
        join registry_version v on v.server_id = c.server_id and v.version = c.version
        join registry_server s on s.id = v.server_id
      where ${isFirst}
    )
    select name, version, definition, status, status_message, status_changed_at, published_at, updated_at, is_latest, is_public,
      gateway_slug, score
    from r where ${next} order by r.score desc, r.name limit ${limit + 1}`;
}

const startingWith = (text: string): string => containing(text).slice(1);

/**
 * A text as a query for words with these prefixes. Only letters and digits remain, so nothing in it is query syntax.
 */
const prefixes = (text: string): string =>
  wordsIn(text)
    .slice(0, MAX_WORDS)
    .map((word) => `'${word}':*`)
    .join(" & ");

/** The same query, where each word may also have two adjacent letters swapped. */
const swaps = (text: string): string =>
  wordsIn(text)
    .slice(0, MAX_WORDS)
    .map((word) => {
      const letters = Array.from(word);
      const isLong = letters.length >= MISTYPED.min && letters.length <= MISTYPED.max;
      const changed = isLong
        ? letters.slice(1).map((letter, at) =>
            letters
              .with(at, letter)
              .with(at + 1, letters[at] ?? "")
              .join(""),
          )
        : [];
      return `(${[word, ...changed].map((spelling) => `'${spelling}':*`).join(" | ")})`;
    })
    .join(" & ");

const wordsIn = (text: string): string[] => text.match(/[\p{L}\p{N}]+/gu) ?? [];

const isBehindGateway = sql`exists (select 1 from registry_server g where g.id = v.server_id and g.gateway_slug is not null)`;

/**
 * Filter conditions. An entry that points to an upstream counts as streamable HTTP without packages, whatever its
 * definition says.
 */
function filterOf({ transport, packageType, status }: Pick<SearchInput, "transport" | "packageType" | "status">): SQL {
  const conditions = [status === undefined ? sql`v.status <> 'deleted'` : sql`v.status = ${status}`];
  if (transport !== undefined) {
    const remote = JSON.stringify({ remotes: [{ type: transport }] });
    const local = JSON.stringify({ packages: [{ transport: { type: transport } }] });
    conditions.push(sql`case when ${isBehindGateway} then ${transport} = 'streamable-http'
      else v.definition @> ${remote}::jsonb or v.definition @> ${local}::jsonb end`);
  }
  if (packageType !== undefined) {
    const packaged = JSON.stringify({ packages: [{ registryType: packageType }] });
    conditions.push(sql`not ${isBehindGateway} and v.definition @> ${packaged}::jsonb`);
  }
  return sql.join(conditions, sql` and `);
}

const MAX_CURSOR_LENGTH = 1_000;
const position = z.tuple([z.int().min(-1_000_000).max(1_000_000), z.string().min(1).max(200)]);

interface Position {
  score: number;
  name: string;
}

const cursorOf = ({ score, name }: Position): string => packJson([score, name]);

function positionOf(cursor: string): Position {
  const parsed = position.safeParse(cursor.length > MAX_CURSOR_LENGTH ? undefined : unpackJson(cursor));
  if (!parsed.success) throw notACursor();
  const [score, name] = parsed.data;
  if (!name.isWellFormed() || /\p{Cc}/u.test(name)) throw notACursor();
  return { score, name };
}
