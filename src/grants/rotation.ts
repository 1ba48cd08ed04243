import { sql } from "drizzle-orm";
import type { ChangedBy } from "../audit/event.ts";
import { base64url } from "jose";
import { sha256 } from "../platform/crypto.ts";
import type { Db } from "../platform/postgres/db.ts";
import { endEntry, type GrantEnd } from "./revocation.ts";
import { endedGrant, refreshLock } from "./schema.ts";

/** The result of presenting a refresh token; decided by `lock_refresh_token` in `refresh.sql`. */
export type RefreshLock =
  | { state: "unknown" | "pending" | "mismatch" }
  | { state: "replayed"; grantId: string | null }
  | { state: "locked"; lockId: string; grantId: string | null }
  | { state: "answered"; answer: string };

/** A refresh request: the presented token and everything else that the answer depends on. */
export interface RefreshRequest {
  token: string;
  /** Null when the client names itself only in an assertion, which the framework reads. */
  clientId: string | null;
  /** Hash of the other parameters and of the client's authentication. */
  fingerprint: string;
}

/**
 * Locks a refresh token, or says why this request may not rotate it. One statement; of concurrent requests one gets the
 * lock. A replay that ends its grant has its audit entry in the same statement.
 */
export async function lockRefresh(
  db: Pick<Db, "execute">,
  request: RefreshRequest,
  by: ChangedBy,
): Promise<RefreshLock> {
  const lockId = crypto.randomUUID();
  const end: GrantEnd = { event: "grant.ended", reason: "refresh_token_replayed", ...by };
  const { rows } = await db.execute<LockRow>(sql`
    with lock as materialized (
      select state, answer, grant_id from lock_refresh_token(
        ${await sha256(request.token)}, ${request.clientId}, ${request.fingerprint}, ${lockId}::uuid)
    ), entry as (${endEntry(end, sql`(select grant_id as id from lock where state = 'replayed')`)})
    select state, answer, grant_id from lock`);
  const [row] = rows;
  if (!row) return { state: "unknown" };
  switch (row.state) {
    case "locked":
      return { state: "locked", lockId, grantId: row.grant_id };
    case "answered":
      return { state: "answered", answer: await openAnswer(row.answer ?? "", request.token) };
    case "replayed":
      return { state: "replayed", grantId: row.grant_id };
    case "pending":
    case "mismatch":
    case "unknown":
      return { state: row.state };
    default:
      // A state that a later release added. This request may not rotate.
      return { state: "unknown" };
  }
}

interface LockRow extends Record<string, unknown> {
  state: RefreshLock["state"];
  answer: string | null;
  grant_id: string | null;
}

/**
 * Stores the answer for 30 seconds, before it is sent. False when the lock has expired or the grant has ended
 * meanwhile: then the successor in this answer must not be sent.
 */
export async function keepAnswer(
  db: Pick<Db, "execute">,
  token: string,
  lockId: string,
  answer: string,
): Promise<boolean> {
  const sealed = await sealAnswer(answer, token);
  const { rows } = await db.execute(sql`
    update ${refreshLock} set answer = ${sealed}, answered_at = clock_timestamp()
    where token_hash = ${await sha256(token)} and lock_id = ${lockId}::uuid and answered_at is null
      and not exists (
        select 1 from oauth_refresh_token t join ${endedGrant} e on e.grant_id = t.authorization_code_id
        where t.token = token_hash)
    returning 1`);
  return rows.length === 1;
}

/** Removes the lock after a refusal that rotated nothing, so that the next request can rotate. */
export async function releaseLock(db: Pick<Db, "execute">, token: string, lockId: string): Promise<void> {
  await db.execute(
    sql`delete from ${refreshLock} where token_hash = ${await sha256(token)} and lock_id = ${lockId}::uuid and answered_at is null`,
  );
}

/** Deletes a refresh token that was issued but will not be sent. */
export async function discardSuccessor(db: Pick<Db, "execute">, refreshToken: string): Promise<void> {
  await db.execute(sql`delete from oauth_refresh_token where token = ${await sha256(refreshToken)}`);
}

/**
 * Deletes expired sealed answers, and locks and ended grants whose tokens no longer exist. At most 500 rows of each.
 */
export async function pruneLocks(db: Pick<Db, "execute">): Promise<void> {
  await db.execute(sql`
    with forgotten as (
      delete from ${refreshLock} where token_hash in (
        select held.token_hash from ${refreshLock} held left join oauth_refresh_token t on t.token = held.token_hash
        where t.id is null and held.locked_at < now() - interval '1 minute' limit 500)
    ), ended as (
      delete from ${endedGrant} where grant_id in (
        select e.grant_id from ${endedGrant} e left join oauth_refresh_token t on t.authorization_code_id = e.grant_id
        where t.id is null and e.ended_at < now() - interval '1 day' limit 500)
    )
    update ${refreshLock} set answer = null where token_hash in (
      select token_hash from ${refreshLock}
      where answer is not null and answered_at < now() - interval '1 minute' limit 500)`);
}

/**
 * The key is derived from the presented token, which only its holders have. A copy of the database decrypts nothing.
 */
async function sealingKey(token: string): Promise<CryptoKey> {
  const material = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`refresh answer\n${token}`));
  return crypto.subtle.importKey("raw", material, "AES-GCM", false, ["encrypt", "decrypt"]);
}

async function sealAnswer(answer: string, token: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv },
    await sealingKey(token),
    new TextEncoder().encode(answer),
  );
  return `${base64url.encode(iv)}.${base64url.encode(new Uint8Array(sealed))}`;
}

async function openAnswer(sealed: string, token: string): Promise<string> {
  const [iv = "", text = ""] = sealed.split(".");
  const opened = await crypto.subtle.decrypt(
    { name: "AES-GCM", iv: base64url.decode(iv) },
    await sealingKey(token),
    base64url.decode(text),
  );
  return new TextDecoder().decode(opened);
}
