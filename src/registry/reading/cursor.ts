import { z } from "zod";
import { packJson, unpackJson } from "../../platform/json.ts";
import { parseName } from "../name.ts";
import { MAX_VERSION_LENGTH } from "../version.ts";

/**
 * The filters of a list. `version` is `latest` or an exact version; `updatedSince` is in epoch milliseconds and implies
 * deleted servers.
 */
export interface ListFilters {
  search?: string;
  version?: string;
  updatedSince?: number;
  includeDeleted: boolean;
}

/**
 * Where the next page begins: after this name and version, with the filters of the previous page. Some clients drop the
 * filters on later pages (VS Code its search), so the cursor carries them.
 */
export interface ListCursor {
  after: { name: string; version: string };
  filters: ListFilters;
}

/** Maximum length of a search text, in UTF-16 units. */
export const MAX_SEARCH_LENGTH = 200;

const MAX_CURSOR_LENGTH = 4096;
const FORMAT = 1;
const LAST_TIME = 8_640_000_000_000_000;

/** Whether a search text is safe for Postgres and the log: no control characters, no unpaired surrogates. */
export const isSearchText = (text: string) =>
  text.length <= MAX_SEARCH_LENGTH && text.trim() !== "" && text.isWellFormed() && !/\p{Cc}/u.test(text);

const isVersionText = (text: string) => text.isWellFormed() && !/[\p{Cc}\s]/u.test(text);
const version = z.string().min(1).max(MAX_VERSION_LENGTH).refine(isVersionText);

/**
 * Short member names, because cursors are sent in URLs: format, name, release, search, filter by version, updated
 * since, deleted too.
 */
const packed = z
  .strictObject({
    v: z.literal(FORMAT),
    n: z.string().refine((name) => parseName(name) !== undefined),
    r: version,
    s: z.string().refine(isSearchText).optional(),
    f: version.optional(),
    u: z.int().min(0).max(LAST_TIME).optional(),
    d: z.boolean(),
  })
  .refine(({ u, d }) => u === undefined || d);

/** The cursor as text, in unpadded base64url, so that it can be pasted into a URL. */
export function encodeCursor({ after, filters }: ListCursor): string {
  const { search, version: wanted, updatedSince, includeDeleted } = filters;
  const content = {
    v: FORMAT,
    n: after.name,
    r: after.version,
    s: search,
    f: wanted,
    u: updatedSince,
    d: includeDeleted,
  };
  return packJson(content);
}

/**
 * Parses a cursor that a client sends back. It is not signed: it holds nothing that the query could not, and all of it
 * is validated like other input. Undefined for any text that {@link encodeCursor} would not have produced exactly.
 */
export function decodeCursor(text: string): ListCursor | undefined {
  if (text.length > MAX_CURSOR_LENGTH) return undefined;
  const parsed = packed.safeParse(unpackJson(text));
  if (!parsed.success) return undefined;
  const { n, r, s, f, u, d } = parsed.data;
  const cursor: ListCursor = {
    after: { name: n, version: r },
    filters: {
      ...(s !== undefined && { search: s }),
      ...(f !== undefined && { version: f }),
      ...(u !== undefined && { updatedSince: u }),
      includeDeleted: d,
    },
  };
  return encodeCursor(cursor) === text ? cursor : undefined;
}
