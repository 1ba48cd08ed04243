import { sql } from "drizzle-orm";
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { organization } from "../identity/schema.ts";

/** A namespace (`com.example`) and the tenant that owns it. Only this tenant publishes in it. */
export const registryNamespace = pgTable(
  "registry_namespace",
  {
    namespace: text("namespace").primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => organization.id, { onDelete: "cascade" }),
    /** How it was proved, or `administrator`. */
    method: text("method").notNull(),
    /** Public keys as `k=…; p=…`, whose holders may publish with `mcp-publisher`, or `github-id=…`. */
    proof: text("proof"),
    verifiedAt: timestamp("verified_at", { withTimezone: true }).notNull(),
  },
  (table) => [
    index("registry_namespace_tenant").on(table.tenantId),
    check("registry_namespace_method", sql`${table.method} in ('dns', 'http', 'github', 'administrator')`),
  ],
);

/** A server in a tenant's registry: published here, or mirrored from another registry. */
export const registryServer = pgTable(
  "registry_server",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => organization.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    /** The name without differences that readers overlook; see `name.ts`. */
    skeleton: text("skeleton").notNull(),
    /** Whether everyone can see it, not only the tenant. */
    isPublic: boolean("is_public").notNull().default(false),
    /** The source that it was mirrored from; null: published here. */
    sourceId: uuid("source_id"),
    /** Slug of the upstream of this gateway that its entry points to instead of its own remotes; null: none. */
    gatewaySlug: text("gateway_slug"),
  },
  (table) => [
    uniqueIndex("registry_server_name").on(table.tenantId, table.name),
    index("registry_server_skeleton").on(table.skeleton),
    index("registry_server_source").on(table.sourceId),
  ],
);

/**
 * A version of a server. Only its status changes. `tenant_id`, `name` and `is_public` are copies, so that one index
 * serves a list. The columns for search, and the collation of `name` and `version`, are created in SQL.
 */
export const registryVersion = pgTable(
  "registry_version",
  {
    serverId: bigint("server_id", { mode: "number" })
      .notNull()
      .references(() => registryServer.id, { onDelete: "cascade" }),
    tenantId: text("tenant_id").notNull(),
    name: text("name").notNull(),
    version: text("version").notNull(),
    isPublic: boolean("is_public").notNull().default(false),
    isLatest: boolean("is_latest").notNull().default(false),
    definition: jsonb("definition").notNull(),
    status: text("status").notNull().default("active"),
    statusMessage: text("status_message"),
    statusChangedAt: timestamp("status_changed_at", { withTimezone: true }).notNull(),
    publishedAt: timestamp("published_at", { withTimezone: true }).notNull(),
    updatedAt: timestamp("updated_at", { withTimezone: true }).notNull(),
    publishedBy: text("published_by"),
  },
  (table) => [
    primaryKey({ columns: [table.serverId, table.version] }),
    check("registry_version_status", sql`${table.status} in ('active', 'deprecated', 'deleted')`),
  ],
);

/**
 * Another registry whose servers a tenant mirrors. `lease_until` keeps two runs apart; `cursor` and `since` are where
 * the next one continues.
 */
export const registrySource = pgTable("registry_source", {
  id: uuid("id").primaryKey(),
  tenantId: text("tenant_id")
    .notNull()
    .references(() => organization.id, { onDelete: "cascade" }),
  url: text("url").notNull(),
  /** Patterns of names, `*` for any text: what matches `allow` and not `deny` is mirrored. */
  allow: text("allow").array().notNull().default(["*"]),
  deny: text("deny").array().notNull().default([]),
  enabled: boolean("enabled").notNull().default(true),
  everyMinutes: integer("every_minutes").notNull().default(60),
  cursor: text("cursor"),
  since: timestamp("since", { withTimezone: true }),
  /** When the current run began; it becomes `since` when the run ends. */
  runBegan: timestamp("run_began", { withTimezone: true }),
  leaseUntil: timestamp("lease_until", { withTimezone: true }),
  leaseHolder: uuid("lease_holder"),
  nextRunAt: timestamp("next_run_at", { withTimezone: true }).notNull().defaultNow(),
  lastRunAt: timestamp("last_run_at", { withTimezone: true }),
  lastProblem: text("last_problem"),
  mirrored: integer("mirrored").notNull().default(0),
});

/** A tenant's private view, at `/r/{secret}/v0.1`, for clients that cannot send credentials. */
export const registryView = pgTable(
  "registry_view",
  {
    id: uuid("id").primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => organization.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    /** SHA-256 of the secret, base64url. */
    secretHash: text("secret_hash").notNull().unique(),
    addresses: text("addresses").array(),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    createdBy: text("created_by"),
    /** Until when a rotated secret works. */
    endsAt: timestamp("ends_at", { withTimezone: true }),
    lastUsedAt: timestamp("last_used_at", { withTimezone: true }),
  },
  (table) => [index("registry_view_tenant").on(table.tenantId)],
);

/** Answers to requests with an `Idempotency-Key`, kept for a day. */
export const idempotentAnswer = pgTable(
  "idempotent_answer",
  {
    owner: text("owner").notNull(),
    key: text("key").notNull(),
    requestHash: text("request_hash").notNull(),
    /** Null until the first request is answered. */
    status: integer("status"),
    body: jsonb("body"),
    at: timestamp("at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.owner, table.key] }), index("idempotent_answer_at").on(table.at)],
);
