import * as z from "zod";
import { AppError } from "../platform/errors.ts";
import { decodeCursor, isSearchText, MAX_SEARCH_LENGTH } from "../registry/reading/cursor.ts";
import { notACursor, type ListInput } from "../registry/reading/servers.ts";
import { MAX_VERSION_LENGTH } from "../registry/version.ts";

const LIMIT = { usual: 30, most: 100 };

/** An optional parameter. Publishing tools and editors send absent parameters with an empty value. */
const optional = <Shape extends z.ZodType>(shape: Shape, description: string) =>
  z.preprocess((value) => (value === "" ? undefined : value), shape.optional()).describe(description);

const flag = (description: string) =>
  optional(
    z.enum(["true", "false"]).transform((text) => text === "true"),
    description,
  );

/**
 * The query of one server. Unknown parameters are ignored, as by the official registry: clients send parameters of
 * their own.
 */
export const serverQuery = z.object({ include_deleted: flag("Whether to include deleted versions.") });

/** The query of a list. */
export const listQuery = z.object({
  limit: optional(
    z
      .string()
      .regex(/^\d{1,3}$/, `must be a whole number between 1 and ${LIMIT.most}`)
      .transform(Number)
      .pipe(z.number().int().min(1).max(LIMIT.most)),
    `Entries per page, at most ${LIMIT.most}. Default: ${LIMIT.usual}.`,
  ),
  cursor: optional(
    z.string(),
    "`metadata.nextCursor` of the previous page. The filters of the first page still apply.",
  ),
  search: optional(
    z.string().refine(isSearchText, `must have at most ${MAX_SEARCH_LENGTH} characters, and no control characters`),
    "Text that the name of a server must contain.",
  ),
  version: optional(
    z
      .string()
      .max(MAX_VERSION_LENGTH)
      .refine((text) => text.isWellFormed() && !/[\p{Cc}\s]/u.test(text), 'must be "latest" or a version'),
    "`latest`, or one version.",
  ),
  updated_since: optional(
    z.iso.datetime({ offset: true }),
    "Only versions that changed since this time (RFC 3339), including deleted ones.",
  ),
  include_deleted: flag("Whether to include deleted servers. Leave it out when `updated_since` is given."),
});

/**
 * The input of a list. `updated_since` implies deleted servers, because a client that follows changes must see
 * deletions.
 * @throws AppError `invalid_request`
 */
export function listInputOf(query: z.infer<typeof listQuery>): ListInput {
  const { limit = LIMIT.usual, cursor, search, version, updated_since: since, include_deleted: deleted } = query;
  if (since !== undefined && deleted === false)
    throw new AppError(
      "invalid_request",
      '"include_deleted" must not be false with "updated_since", which includes deleted servers. Leave it out.',
    );
  if (cursor !== undefined) {
    // Only the filters in the cursor apply, so only the cursor is part of the cache key.
    if (decodeCursor(cursor) === undefined) throw notACursor();
    return { limit, cursor, includeDeleted: false };
  }
  return {
    limit,
    includeDeleted: deleted ?? since !== undefined,
    ...(search !== undefined && { search }),
    ...(version !== undefined && { version }),
    ...(since !== undefined && { updatedSince: Date.parse(since) }),
  };
}
