import { sql, type SQL } from "drizzle-orm";
import type { ServerDefinition } from "../definition/definition.ts";

/** The servers that a reader sees: those of a tenant, or all public ones. */
export type RegistryView = { kind: "tenant"; tenantId: string } | { kind: "public" };

export type ServerStatus = "active" | "deprecated" | "deleted";

/** A version of a server, with its status and times in the registry. */
export interface RegistryEntry {
  name: string;
  version: string;
  definition: ServerDefinition;
  status: ServerStatus;
  statusMessage: string | null;
  statusChangedAt: Date;
  publishedAt: Date;
  updatedAt: Date;
  isLatest: boolean;
  isPublic: boolean;
  /** Slug of the upstream of this gateway that the entry points to instead of its own remotes; null: none. */
  gatewaySlug: string | null;
}

/** A {@link RegistryEntry} as a row of a statement, selected by {@link entryColumns}. */
export interface EntryRow extends Record<string, unknown> {
  name: string;
  version: string;
  definition: ServerDefinition;
  status: ServerStatus;
  status_message: string | null;
  status_changed_at: string;
  published_at: string;
  updated_at: string;
  is_latest: boolean;
  is_public: boolean;
  gateway_slug: string | null;
}

/** The columns of an {@link EntryRow}, where `v` is the version's row and `s` its server's. */
export const entryColumns: SQL = sql`v.name, v.version, v.definition, v.status, v.status_message, v.status_changed_at,
  v.published_at, v.updated_at, v.is_latest, v.is_public, s.gateway_slug`;

export const entryOf = (row: EntryRow): RegistryEntry => ({
  name: row.name,
  version: row.version,
  definition: row.definition,
  status: row.status,
  statusMessage: row.status_message,
  statusChangedAt: new Date(row.status_changed_at),
  publishedAt: new Date(row.published_at),
  updatedAt: new Date(row.updated_at),
  isLatest: row.is_latest,
  isPublic: row.is_public,
  gatewaySlug: row.gateway_slug,
});
