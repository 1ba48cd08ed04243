import { sql, type SQL } from "drizzle-orm";

/** Epoch milliseconds as a `timestamptz`. */
export const instant = (time: number): SQL => sql`${new Date(time).toISOString()}::timestamptz`;

/** Epoch milliseconds in the form of Better Auth's columns: a timestamp without time zone, in UTC. */
export const utc = (time: number): SQL => sql`(${instant(time)} at time zone 'utc')`;

/** A list for an array column, or null. */
export const textList = (texts: readonly string[] | null | undefined): SQL =>
  texts ? sql`${sql.param([...texts])}::text[]` : sql`null::text[]`;
