import * as z from "zod";

/** A time in an answer: RFC 3339 in UTC. */
export const instant = (description: string) => z.string().meta({ format: "date-time", description });

/** The same, or null. */
export const maybeInstant = (description: string) =>
  z.string().meta({ format: "date-time" }).nullable().describe(description);

/** The query of a list. `cursor` is the schema of the list's cursor. */
export const paged = <Cursor extends z.ZodType>(cursor: Cursor) =>
  z.strictObject({
    limit: z.coerce.number().int().min(1).max(200).default(50).describe("Maximum number of entries on a page."),
    cursor: cursor.optional().describe("The nextCursor of the previous page."),
  });

export const nextCursor = z.string().nullable().describe("The cursor of the next page; null: this is the last one.");
