import { sql, type SQL } from "drizzle-orm";
import { changeEntry } from "../audit/entry.ts";
import type { Actor } from "../audit/event.ts";
import { linkMail, type Mail, type SendMail } from "../platform/mail.ts";
import { ownerRoleSql } from "../identity/standing.ts";
import { sha256 } from "../platform/crypto.ts";
import { instant, utc } from "../platform/postgres/sql.ts";
import { lockKey } from "./changes.ts";
import { isManagedBy, keyOf, selectKey } from "./keys.ts";
import type { KeyActor, KeyCommandDeps, KeyDone, KeyRefusal, KeyRow } from "./keys.ts";
import { isApiKey } from "./token.ts";

/** Revokes a key in one request to Postgres, in force when this resolves. Also `done` when it was revoked before. */
export async function revokeKey(
  { db, flushOutbox }: KeyCommandDeps,
  actor: KeyActor,
  id: string,
  now: number,
): Promise<KeyDone | KeyRefusal> {
  const [, , { rows }] = await db.batch([
    db.execute(lockKey(id)),
    db.execute(sql`
      with ending as (
        select k.id, p.tenant_id from apikey k join api_key_policy p on p.key_id = k.id
        where k.id = ${id} and p.revoked_at is null and ${isManagedBy(actor)}
      ), ${ended("revoked", now)}, entry as (
        ${changeEntry({ event: "key.revoked", actor, now, from: sql`ending`, target: sql`id`, detail: {} })}
      )
      select id from ending`),
    db.execute<KeyRow>(selectKey(actor, id, now)),
  ]);
  const info = keyOf(rows, now);
  if (!info) return { state: "unknown" };
  await flushOutbox();
  return { state: "done", info };
}

export interface LeakDeps extends KeyCommandDeps {
  sendMail: SendMail;
  /** Runs work after the answer was sent. */
  background: (work: Promise<unknown>) => void;
  /** The origin of the dashboard. */
  origin: string;
}

/**
 * Revokes a key because somebody other than its owner has it; presenting the whole key proves that. Its owner, or the
 * owners of its organization, get an email the first time. `unknown` for a key that never existed or is deleted. No I/O
 * for text that is not a key.
 */
export async function reportLeak(
  { db, flushOutbox, sendMail, background, origin }: LeakDeps,
  key: string,
  actor: Actor,
  now: number,
): Promise<{ state: "done" } | Extract<KeyRefusal, { state: "unknown" }> | { state: "malformed" }> {
  if (!isApiKey(key)) return { state: "malformed" };
  const hash = await sha256(key);
  const [{ rows: found }, { rows: told }] = await db.batch([
    db.execute(sql`select 1 from apikey where key = ${hash} for no key update`),
    db.execute<{ email: string; start: string | null }>(sql`
      with ending as (
        select k.id, k.config_id, k.reference_id, k.start, p.tenant_id from apikey k join api_key_policy p on p.key_id = k.id
        where k.key = ${hash} and p.revoked_at is null
      ), ${ended("leaked", now)}, entry as (
        ${changeEntry({ event: "key.leaked", actor, now, from: sql`ending`, target: sql`id`, detail: {} })}
      )
      select u.email, ending.start from ending join "user" u on case ending.config_id when 'default' then u.id = ending.reference_id
        else exists (
          select 1 from member m where m.organization_id = ending.reference_id and m.user_id = u.id and ${ownerRoleSql(sql`m.role`)}) end`),
  ]);
  if (found.length === 0) return { state: "unknown" };
  for (const { email, start } of told) background(sendMail(leakMail(email, start ?? "", origin)));
  await flushOutbox();
  return { state: "done" };
}

const ended = (reason: "revoked" | "leaked", now: number) => sql`disabled as (
    update apikey set enabled = false, updated_at = ${utc(now)} from ending where apikey.id = ending.id
  ), revoked as (
    update api_key_policy set revoked_at = ${instant(now)}, revoked_reason = ${reason}
    from ending where key_id = ending.id
  )`;

/** The key's name is left out: emails are HTML, and the key's creator chose the name. */
const leakMail = (to: string, start: string, origin: string): Mail =>
  linkMail({
    to,
    subject: "One of your API keys was reported as leaked and has been revoked",
    intro: `Somebody who has the whole API key that begins with ${start.replace(/[^\w-]/g, "")} reported it as leaked. The key has stopped working.`,
    action: "View your keys",
    url: `${origin}/dashboard/keys`,
    outro:
      "Create another key where you still need one, and find out how this one leaked. The audit log shows what it was used for.",
  });

/**
 * SQL: deletes the keys of these users (a query of ids) in the statement that ends their accounts; returns hashes as
 * `key`.
 */
export const deleteKeysOf = (users: SQL): SQL =>
  sql`delete from apikey where reference_id in (${users}) and config_id = 'default' returning key`;
