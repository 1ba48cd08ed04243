import { sql } from "drizzle-orm";
import { personalTenantSql } from "../../identity/standing.ts";
import { equalsInConstantTime, sha256 } from "../../platform/crypto.ts";
import type { Db } from "../../platform/postgres/db.ts";

/** What is needed of a legacy row to recognize its key, and to choose among several rows of one key. */
export interface SaltedHash {
  id: string;
  /** Hexadecimal, lower case. */
  keyHash: string;
  /** Hexadecimal. */
  salt: string;
  hashAlgo: string;
}

interface Candidate extends Record<string, unknown>, SaltedHash {
  works: boolean;
  restricted: boolean;
}

/** How many leading characters of a key are stored for finding its row. */
const PREFIX_LENGTH = 12;
/** Rows per statement. Many keys can share a prefix, so there may be more rows than this. */
const PAGE = 500;
/** Longer than any key of the old system. */
const MAX_KEY_LENGTH = 512;

/**
 * Turns a salted key that the import kept aside into an ordinary key. Call it for a key that `apikey` does not
 * have. Returns true when `apikey` has the row now, whichever request inserted it: look up the key again. A key that
 * was disabled, locked or expired stays so. Costs one statement, or two when the key is known, and one hash per row
 * with the same prefix, so the caller must be rate limited. `now` is in epoch milliseconds.
 */
export async function adoptLegacyKey(db: Pick<Db, "execute">, key: string, now: number): Promise<boolean> {
  if (key.length > MAX_KEY_LENGTH) return false;
  const matching: Candidate[] = [];
  for (let after = "", size = PAGE; size === PAGE;) {
    const page = await candidates(db, { prefix: key.slice(0, PREFIX_LENGTH), after, now });
    const verdicts = await Promise.all(page.map((row) => isHashOf(row, key)));
    matching.push(...page.filter((_, i) => verdicts[i]));
    size = page.length;
    after = page.at(-1)?.id ?? "";
  }
  const hash = await sha256(key);
  const [chosen] = matching.toSorted(strictestFirst);
  if (chosen === undefined) return isThere(db, hash);
  await adopt(db, { hash, chosen: chosen.id, all: matching.map(({ id }) => id), now });
  return true;
}

/** When several rows have the same key, one that does not work is chosen first, then one with a list of addresses. */
const strictestFirst = (a: Candidate, b: Candidate) =>
  Number(a.works) - Number(b.works) || Number(b.restricted) - Number(a.restricted) || (a.id < b.id ? -1 : 1);

async function candidates(db: Pick<Db, "execute">, given: { prefix: string; after: string; now: number }) {
  const { rows } = await db.execute<Candidate>(sql`
    select id, key_hash as "keyHash", salt, hash_algo as "hashAlgo", addresses is not null as restricted,
      enabled and coalesce(expires_at > ${at(given.now)}, true) and coalesce(disabled_until <= ${at(given.now)}, true) as works
    from legacy_key where key_prefix = ${given.prefix} and id > ${given.after} order by id limit ${PAGE}`);
  return rows;
}

/** Whether another request has adopted the key since the caller looked it up. */
async function isThere(db: Pick<Db, "execute">, hash: string): Promise<boolean> {
  const { rows } = await db.execute(sql`select 1 from apikey where key = ${hash}`);
  return rows.length > 0;
}

/** One statement, so that of two concurrent adoptions the second waits for the first and then finds nothing to do. */
async function adopt(db: Pick<Db, "execute">, given: { hash: string; chosen: string; all: string[]; now: number }) {
  await db.execute(sql`
    with taken as (
      delete from legacy_key where id = any(${sql.param(given.all)}::text[]) and not exists (select 1 from apikey where key = ${given.hash})
      returning *
    ), made as (
      insert into apikey (id, config_id, reference_id, name, start, key, enabled, rate_limit_enabled, request_count, last_request, expires_at,
        created_at, updated_at, permissions)
      select id, 'default', user_id, name, key_prefix, ${given.hash}, enabled, false, 0, last_used_at at time zone 'utc',
        expires_at at time zone 'utc', created_at at time zone 'utc', ${at(given.now)} at time zone 'utc', permissions
      from taken where id = ${given.chosen}
    )
    insert into api_key_policy (key_id, tenant_id, chain_id, created_by, addresses, disabled_until)
    select id, ${personalTenantSql(sql`user_id`)}, id, user_id, addresses, disabled_until from taken where id = ${given.chosen}`);
}

const at = (ms: number) => sql`to_timestamp(${ms}::float8 / 1000)`;

const encoder = new TextEncoder();

/**
 * Whether a row's hash is the key's: SHA-256 of salt and key, or HMAC-SHA-256 with the salt as HMAC key. The old
 * system's documents say that the salt is hexadecimal, but not whether its bytes or its letters were hashed, so both
 * are tried.
 */
export async function isHashOf({ keyHash, salt, hashAlgo }: SaltedHash, key: string): Promise<boolean> {
  const message = encoder.encode(key);
  const salts = [encoder.encode(salt), ...(fromHex(salt) ?? [])];
  const digests = await Promise.all(
    salts.map((bytes) => (hashAlgo === "hmac-sha256" ? hmacSha256(bytes, message) : sha256Of(bytes, message))),
  );
  return digests.map((digest) => equalsInConstantTime(toHex(digest), keyHash)).includes(true);
}

async function sha256Of(salt: Uint8Array, message: Uint8Array): Promise<ArrayBuffer> {
  const both = new Uint8Array(salt.length + message.length);
  both.set(salt);
  both.set(message, salt.length);
  return crypto.subtle.digest("SHA-256", both);
}

async function hmacSha256(secret: Uint8Array, message: Uint8Array): Promise<ArrayBuffer> {
  // An empty HMAC key and one zero byte mean the same (RFC 2104 §2); WebCrypto takes only the latter.
  const raw = secret.length === 0 ? new Uint8Array(1) : secret;
  const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return crypto.subtle.sign("HMAC", key, message);
}

const toHex = (digest: ArrayBuffer) =>
  [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** The bytes, in a list of one element; undefined when the text is not hexadecimal. */
function fromHex(text: string): [Uint8Array] | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  return [Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))];
}
