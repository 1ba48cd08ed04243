import { sql } from "drizzle-orm";
import { bigint, boolean, check, index, integer, pgTable, text, timestamp } from "drizzle-orm/pg-core";
import { apikey, user } from "../identity/schema.ts";

/**
 * Legacy registry tokens with their original columns. `token_hash` is lower-case hex SHA-256 of the whole token.
 */
export const apiToken = pgTable("api_token", {
  id: text("id").primaryKey(),
  userId: text("user_id")
    .notNull()
    .references(() => user.id, { onDelete: "cascade" }),
  name: text("name").notNull(),
  tokenHash: text("token_hash").notNull().unique(),
  scopes: text("scopes").array().notNull().default([]),
  lastUsedAt: timestamp("last_used_at", { withTimezone: true }),
  expiresAt: timestamp("expires_at", { withTimezone: true }),
  revokedAt: timestamp("revoked_at", { withTimezone: true }),
  createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
});

/**
 * What the gateway stores about an API key beyond Better Auth's table. One row per key, inserted by a trigger
 * whichever code inserts the key. Null lists allow everything; empty lists allow nothing.
 */
export const apiKeyPolicy = pgTable(
  "api_key_policy",
  {
    keyId: text("key_id")
      .primaryKey()
      .references(() => apikey.id, { onDelete: "cascade" }),
    /** The tenant that calls with the key act in. */
    tenantId: text("tenant_id").notNull(),
    /** The id of the first key of a chain of rotations. The chain shares quota and rate. */
    chainId: text("chain_id").notNull(),
    /**
     * Raised by triggers with every change of the key or its policy. An older cached record never replaces a newer one.
     */
    version: bigint("version", { mode: "number" }).notNull().default(1),
    createdBy: text("created_by"),
    servers: text("servers").array(),
    tools: text("tools").array(),
    /** Addresses and CIDR blocks, v4 and v6. */
    addresses: text("addresses").array(),
    perMinute: integer("per_minute"),
    burst: integer("burst"),
    quotaMax: bigint("quota_max", { mode: "number" }),
    quotaPeriod: text("quota_period"),
    disabledUntil: timestamp("disabled_until", { withTimezone: true }),
    /** Set once and never cleared. The key does not work from then on. */
    revokedAt: timestamp("revoked_at", { withTimezone: true }),
    revokedReason: text("revoked_reason"),
    rotatedTo: text("rotated_to"),
  },
  (table) => [
    index("api_key_policy_tenant").on(table.tenantId),
    check("api_key_policy_quota", sql`(${table.quotaMax} is null) = (${table.quotaPeriod} is null)`),
    check("api_key_policy_period", sql`${table.quotaPeriod} in ('month', 'total')`),
    check("api_key_policy_rate", sql`${table.perMinute} > 0 and ${table.burst} > 0`),
  ],
);

/**
 * Salted hashes of the retired `enhanced_api_keys`. The first time a key is presented, its row becomes an ordinary key
 * and is deleted here. `key_hash` is hex of `sha256(salt || key)` or `hmac-sha256(salt, key)`; `salt` is hex.
 */
export const legacyKey = pgTable(
  "legacy_key",
  {
    id: text("id").primaryKey(),
    userId: text("user_id")
      .notNull()
      .references(() => user.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    /** The first twelve characters of the key; several rows may share them. */
    keyPrefix: text("key_prefix").notNull(),
    keyHash: text("key_hash").notNull(),
    salt: text("salt").notNull(),
    hashAlgo: text("hash_algo").notNull(),
    /** JSON text, as Better Auth stores permissions. */
    permissions: text("permissions").notNull(),
    addresses: text("addresses").array(),
    enabled: boolean("enabled").notNull().default(true),
    disabledUntil: timestamp("disabled_until", { withTimezone: true }),
    expiresAt: timestamp("expires_at", { withTimezone: true }),
    lastUsedAt: timestamp("last_used_at", { withTimezone: true }),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull(),
  },
  (table) => [index("legacy_key_prefix").on(table.keyPrefix)],
);
