import * as z from "zod";
import { AppError } from "../platform/errors.ts";
import { decodeCursor, isSearchText, MAX_SEARCH_LENGTH } from "../registry/cursor.ts";
import { notACursor, type ListInput } from "../registry/servers.ts";
import { MAX_VERSION_LENGTH } from "../registry/version.ts";

const LIMIT = { usual: 30, most: 100 };

/** Publishing tools and editors write parameters without a value for none. */
const optional = <Shape extends z.ZodType>(shape: Shape) =>
  z.preprocess((value) => (value === "" ? undefined : value), shape.optional());

const flag = optional(z.enum(["true", "false"], "must be true or false").transform((text) => text === "true"));

/** Parameters that are not named here are ignored, as by the official registry: clients send some of their own. */
const shape = z.object({
  limit: optional(
    z
      .string()
      .regex(/^\d{1,3}$/, `must be a number from 1 to ${LIMIT.most}`)
      .transform(Number)
      .refine((limit) => limit >= 1 && limit <= LIMIT.most, `must be from 1 to ${LIMIT.most}`),
  ),
  cursor: optional(z.string()),
  search: optional(
    z
      .string()
      .refine(isSearchText, `must be text of at most ${MAX_SEARCH_LENGTH} characters, without control characters`),
  ),
  version: optional(
    z
      .string()
      .max(MAX_VERSION_LENGTH)
      .refine((text) => text.isWellFormed() && !/[\p{Cc}\s]/u.test(text), "must be latest or a version"),
  ),
  updated_since: optional(
    z.iso.datetime({ offset: true, message: "must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z" }),
  ),
  include_deleted: flag,
});

/**
 * The query of a list. `updated_since` asks for deleted servers too, because whoever follows changes must hear of those.
 * @throws AppError `invalid_request` that names every fault.
 */
export function readListQuery(query: URLSearchParams): ListInput {
  const { limit = LIMIT.usual, cursor, search, version, updated_since: since, include_deleted: deleted } = read(query);
  if (since !== undefined && deleted === false)
    throw new AppError(
      "invalid_request",
      "include_deleted: updated_since answers deleted servers too; leave include_deleted out.",
    );
  if (cursor !== undefined) {
    // Only what the cursor brings along counts, so only that is part of what is asked.
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

/** The query of one server: whether deleted versions count. */
export function readFlags(query: URLSearchParams): { includeDeleted: boolean } {
  return { includeDeleted: read(query).include_deleted ?? false };
}

function read(query: URLSearchParams): z.infer<typeof shape> {
  const names = [...query.keys()].filter((name) => name in shape.shape);
  if (new Set(names).size !== names.length) throw new AppError("invalid_request", "Give each query parameter once.");
  const parsed = shape.safeParse(Object.fromEntries(query));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw new AppError("invalid_request", `${faults.join("; ")}.`);
}
