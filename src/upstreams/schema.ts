import { sql } from "drizzle-orm";
import { boolean, check, pgTable, text, timestamp, uniqueIndex } from "drizzle-orm/pg-core";
import { organization } from "../identity/schema.ts";

/** The MCP servers that a tenant added to this gateway. */
export const upstreamServer = pgTable(
  "upstream_server",
  {
    id: text("id").primaryKey(),
    tenantId: text("tenant_id")
      .notNull()
      .references(() => organization.id, { onDelete: "cascade" }),
    slug: text("slug").notNull(),
    name: text("name").notNull(),
    description: text("description").notNull().default(""),
    url: text("url").notNull(),
    enabled: boolean("enabled").notNull().default(true),
    createdAt: timestamp("created_at", { withTimezone: true }).notNull().defaultNow(),
    updatedAt: timestamp("updated_at", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    uniqueIndex("upstream_server_tenant_slug").on(table.tenantId, table.slug),
    check("upstream_server_slug_form", sql`${table.slug} ~ '^[a-z0-9-]{1,16}$'`),
  ],
);
