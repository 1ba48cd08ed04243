import { sql, type SQL } from "drizzle-orm";
import type { Db } from "../platform/postgres/db.ts";

/** A browser in which somebody is signed in. The token is left out, because anybody who has it is signed in. */
export interface OpenSession {
  id: string;
  createdAt: Date;
  /** Better Auth writes it about once a day. */
  lastActive: Date;
  address: string | null;
  userAgent: string | null;
}

const MAX_SESSIONS = 100;

/** The sessions of a person that have not expired, the last used first. Better Auth's own list would include tokens. */
export async function openSessions(db: Pick<Db, "execute">, userId: string): Promise<OpenSession[]> {
  const { rows } = await db.execute<{
    id: string;
    created_at: string;
    updated_at: string;
    ip_address: string | null;
    user_agent: string | null;
  }>(sql`
    select id, created_at, updated_at, ip_address, user_agent from session
    where user_id = ${userId} and expires_at > now() at time zone 'utc'
    order by updated_at desc, id limit ${MAX_SESSIONS}`);
  return rows.map((row) => ({
    id: row.id,
    createdAt: new Date(`${row.created_at}Z`),
    lastActive: new Date(`${row.updated_at}Z`),
    address: row.ip_address === "" ? null : row.ip_address,
    userAgent: row.user_agent === "" ? null : row.user_agent,
  }));
}

/** The token of one session of a person, or the tokens of all but one. Better Auth ends sessions by token. */
export async function sessionTokens(
  db: Pick<Db, "execute">,
  userId: string,
  which: { id: string } | { except: string },
): Promise<string[]> {
  const wanted = "id" in which ? sql`id = ${which.id}` : sql`id <> ${which.except}`;
  const { rows } = await db.execute<{ token: string }>(
    sql`select token from session where user_id = ${userId} and ${wanted} limit ${MAX_SESSIONS}`,
  );
  return rows.map(({ token }) => token);
}

/** Deletes at most `limit` sessions that have expired. */
export const deleteExpiredSessions = (limit: number): SQL => sql`
  delete from session where id in (select id from session where expires_at < now() at time zone 'utc' limit ${limit})`;
