import { sql } from "drizzle-orm";
import type { Db } from "../../platform/postgres/db.ts";

/** A legacy registry token that is good. Its scopes are in the words of the retired registry. */
export interface LegacyToken {
  userId: string;
  tokenId: string;
  scopes: string[];
}

const MAX_LENGTH = 512;

/**
 * Who presents a token of the retired registry (R19); null for one that is unknown, revoked or expired. Reads only `api_token`, where it is
 * kept as lower-case hex of its SHA-256. `now` is epoch milliseconds.
 */
export async function verifyLegacyToken(
  db: Pick<Db, "execute">,
  token: string,
  now: number,
): Promise<LegacyToken | null> {
  if (token === "" || token.length > MAX_LENGTH) return null;
  const { rows } = await db.execute<{ id: string; user_id: string; scopes: string[] }>(sql`
    select id, user_id, scopes from api_token
    where token_hash = ${await hexSha256(token)} and revoked_at is null
      and (expires_at is null or expires_at > ${new Date(now).toISOString()}::timestamptz)`);
  const [row] = rows;
  return row ? { userId: row.user_id, tokenId: row.id, scopes: row.scopes } : null;
}

async function hexSha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
