import type { Scope } from "../../src/identity/scopes.ts";
import { finite, knownScopes, readExpiry } from "./key-mapping.ts";

/** A row of `enhanced_api_keys`. Times are epoch milliseconds. */
export interface EnhancedKey {
  id: string;
  userId: string;
  name: string;
  keyPrefix: string;
  keyHash: string;
  salt: string;
  hashAlgo: string;
  scopes: string[];
  addresses: (string | null)[] | null;
  lockedUntil: number | null;
  circuitState: string;
  isActive: boolean;
  expiresAt: number | null;
  lastUsedAt: number | null;
  createdAt: number;
}

/** The same key as a row of `legacy_key`, where it stays until it is first used, with notes for its owner. */
export interface KeptKey {
  id: string;
  userId: string;
  name: string;
  keyPrefix: string;
  keyHash: string;
  salt: string;
  hashAlgo: string;
  scopes: readonly Scope[];
  addresses: string[] | null;
  enabled: boolean;
  disabledUntil: number | null;
  expiresAt: number | null;
  lastUsedAt: number | null;
  createdAt: number;
  notes: string[];
}

/**
 * Converts a salted key; undefined when its hash has an invalid format. A key with an open circuit is imported as
 * disabled.
 */
export function mapEnhancedKey(old: EnhancedKey, now: number): KeptKey | undefined {
  if (!/^[0-9a-fA-F]{64}$/.test(old.keyHash)) return undefined;
  const notes: string[] = [];
  const { scopes } = knownScopes(old.scopes, notes);
  const expiresAt = readExpiry(old.expiresAt);
  const disabledUntil = old.lockedUntil === Infinity ? null : old.lockedUntil;
  if (!old.isActive) notes.push("disabled");
  if (expiresAt !== null && expiresAt <= now) notes.push("expired");
  if (old.circuitState === "open")
    notes.push("its circuit was open: imported disabled, enable it when its owner is known");
  if (old.lockedUntil !== null && old.lockedUntil > now) notes.push("locked: works again when the lock ends");
  if (old.addresses?.length === 0) notes.push("its list of addresses was empty: works from everywhere");
  const { id, userId, name, keyPrefix, salt, hashAlgo, lastUsedAt } = old;
  return {
    id,
    userId,
    name,
    keyPrefix,
    keyHash: old.keyHash.toLowerCase(),
    salt,
    hashAlgo,
    scopes,
    addresses: old.addresses?.length ? old.addresses.filter((address) => address !== null) : null,
    enabled: old.isActive && old.circuitState !== "open" && old.lockedUntil !== Infinity,
    disabledUntil,
    expiresAt,
    lastUsedAt,
    createdAt: finite(old.createdAt, 0),
    notes,
  };
}
