import { KEY_SCOPES, permissionsToScopes, type Scope } from "../../src/identity/scopes.ts";

/** A Better Auth key in one of the two old tables. Times are epoch milliseconds; `Infinity` is Postgres' `infinity`. */
export interface OldKey {
  source: "apiKey" | "api_token";
  id: string;
  userId: string;
  name: string | null;
  start: string | null;
  prefix: string | null;
  hash: string;
  /** Null counts as enabled, as in Better Auth. */
  enabled: boolean | null;
  expiresAt: number | null;
  /** Only `api_token` has it. */
  revokedAt: number | null;
  remaining: number | null;
  refillAmount: number | null;
  /** Milliseconds. */
  refillInterval: number | null;
  /** When `remaining` was last refilled: `last_refill_at`, or the key's creation. */
  filledAt: number;
  rateLimitEnabled: boolean | null;
  rateLimitMax: number | null;
  /** Milliseconds. */
  rateLimitTimeWindow: number | null;
  permissions: string | null;
  metadata: string | null;
  lastRequest: number | null;
  createdAt: number;
  updatedAt: number;
}

/**
 * The same key as a row of `apikey` with its `api_key_policy`, and notes for its owner. Times are epoch milliseconds.
 */
export interface NewKey {
  id: string;
  userId: string;
  name: string | null;
  start: string | null;
  prefix: string | null;
  hash: string;
  enabled: boolean;
  expiresAt: number | null;
  scopes: readonly Scope[];
  /** Whether the old row named the scopes; otherwise they are the default. */
  named: boolean;
  metadata: string | null;
  lastRequest: number | null;
  createdAt: number;
  updatedAt: number;
  perMinute: number | null;
  burst: number | null;
  quotaMax: number | null;
  quotaPeriod: "month" | "total" | null;
  disabledUntil: number | null;
  revokedAt: number | null;
  notes: string[];
}

/** The scopes of a key whose old row names no scope that this gateway knows: call tools and read the registry. */
const DEFAULT_SCOPES = ["mcp:tools", "mcp-registry:read"] as const satisfies readonly Scope[];

const MONTH_MS = 30 * 24 * 3_600_000;
const INT4_MAX = 2_147_483_647;

/**
 * Converts a SHA-256 in unpadded base64url or in hexadecimal to unpadded base64url, which Better Auth looks up;
 * undefined for any other text.
 */
export function betterAuthHash(text: string): string | undefined {
  if (/^[A-Za-z0-9_-]{43}$/.test(text)) return text;
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, "hex").toString("base64url");
  return undefined;
}

/**
 * Converts one key. It works at `now` if and only if it did before: a key that was disabled, expired, revoked or used
 * up stays so.
 */
export function mapKey(old: OldKey, hash: string, now: number): NewKey {
  const notes: string[] = [];
  const { scopes, named } = readPermissions(old.permissions, notes);
  const quota = readQuota(old, now, notes);
  if (old.enabled === false) notes.push("disabled");
  if (old.revokedAt !== null) notes.push("revoked");
  const expiresAt = readExpiry(old.expiresAt);
  if (expiresAt !== null && expiresAt <= now) notes.push("expired");
  return {
    id: old.id,
    userId: old.userId,
    name: old.name,
    start: old.start,
    prefix: old.prefix,
    hash,
    enabled: old.enabled !== false && old.revokedAt === null && !quota.usedUp,
    expiresAt,
    scopes,
    named,
    metadata: readMetadata(old.metadata, notes),
    lastRequest: old.lastRequest,
    createdAt: finite(old.createdAt, 0),
    updatedAt: finite(old.updatedAt, now),
    ...readRate(old),
    quotaMax: quota.max,
    quotaPeriod: quota.period,
    disabledUntil: quota.disabledUntil,
    revokedAt: old.revokedAt === null ? null : finite(old.revokedAt, now),
    notes,
  };
}

/** `at` if it is finite, as JSON and dates require, else `otherwise`. */
export const finite = (at: number, otherwise: number) => (Number.isFinite(at) ? at : otherwise);

/** An expiry: `infinity` means none, `-infinity` means long ago. */
export function readExpiry(at: number | null): number | null {
  if (at === null || at === Infinity) return null;
  return Math.max(at, 0);
}

/** The scopes in `names` that a key can have, or the default if there are none. */
export function knownScopes(names: readonly string[], notes: string[]): { scopes: readonly Scope[]; named: boolean } {
  const scopes = KEY_SCOPES.filter((scope) => names.includes(scope));
  if (scopes.length > 0) return { scopes, named: true };
  notes.push("no scope that this gateway knows: may call tools and read the registry");
  return { scopes: DEFAULT_SCOPES, named: false };
}

function readPermissions(text: string | null, notes: string[]) {
  const permissions = text === null ? undefined : parseJson(text);
  if (text !== null && permissions === undefined) notes.push("permissions are no JSON");
  return knownScopes(permissionsToScopes(permissions), notes);
}

function readMetadata(text: string | null, notes: string[]): string | null {
  if (text === null || parseJson(text) !== undefined) return text;
  notes.push("metadata is no JSON: left in the backup");
  return null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Converts `max` calls per window to a bucket of that size with the same rate, rounded up. Without a maximum or a
 * window there was no limit.
 */
function readRate({ rateLimitEnabled, rateLimitMax: max, rateLimitTimeWindow: window }: OldKey) {
  if (rateLimitEnabled === false || max === null || window === null || window <= 0)
    return { perMinute: null, burst: null };
  return { perMinute: Math.min(INT4_MAX, Math.max(1, Math.ceil((max * 60_000) / window))), burst: Math.max(1, max) };
}

interface Quota {
  max: number | null;
  period: "month" | "total" | null;
  usedUp: boolean;
  disabledUntil: number | null;
}

/**
 * Converts the calls left to a total quota. With a refill it becomes a monthly quota of a month's refills, rounded up;
 * a key that waits for its next refill waits for it here too. Better Auth refills only if amount and interval are both
 * set.
 */
function readQuota(old: OldKey, now: number, notes: string[]): Quota {
  const { remaining, refillAmount: amount, refillInterval: interval } = old;
  if (remaining === null) return { max: null, period: null, usedUp: false, disabledUntil: null };
  if (!amount || !interval || amount < 0 || interval < 0) {
    if (remaining <= 0) notes.push("used up: imported disabled");
    return { max: Math.max(0, remaining), period: "total", usedUp: remaining <= 0, disabledUntil: null };
  }
  const max = Math.max(remaining, Math.min(Number.MAX_SAFE_INTEGER, amount * Math.ceil(MONTH_MS / interval)));
  notes.push(`${amount} calls each ${interval} ms became ${max} a month`);
  const refilled = old.filledAt + interval;
  const waits = remaining <= 0 && refilled >= now;
  if (waits) notes.push("used up until its next refill");
  return { max, period: "month", usedUp: false, disabledUntil: waits ? refilled : null };
}
