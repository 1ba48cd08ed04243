import { sql } from "drizzle-orm";
import type { Db } from "../../platform/postgres/db.ts";

/** A valid token of the retired registry. `scopes` are the scope names of that registry. */
export interface LegacyToken {
  userId: string;
  tokenId: string;
  scopes: string[];
}

const MAX_LENGTH = 512;

/**
 * The owner of a token of the retired registry; null for a token that is unknown, revoked or expired. Reads only
 * `api_token`, which has the SHA-256 of the token in lower-case hex. `now` is in epoch milliseconds.
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
