import { and, asc, eq, ilike, or } from "drizzle-orm";
import { expiringMap } from "../platform/bounded-map.ts";
import type { Db } from "../platform/postgres/db.ts";
import { upstreamServer } from "./schema.ts";

/** An MCP server behind this gateway, with what a call needs. */
export interface Upstream {
  id: string;
  slug: string;
  name: string;
  description: string;
  url: string;
}

/** For how many milliseconds an isolate may use a list without knowing of a change. */
const FRESH_MS = 5_000;
const MAX_TENANTS = 500;

const columns = {
  id: upstreamServer.id,
  slug: upstreamServer.slug,
  name: upstreamServer.name,
  description: upstreamServer.description,
  url: upstreamServer.url,
};

/**
 * The enabled upstreams of tenants. An isolate reads a tenant's list from Postgres at most once in five seconds, and
 * immediately when the tenant's epoch differs.
 */
export interface UpstreamDirectory {
  enabled: (tenantId: string, epoch?: number) => Promise<readonly Upstream[]>;
}

export function upstreamDirectory(db: Pick<Db, "select">, now: () => number = Date.now): UpstreamDirectory {
  const known = expiringMap<{ list: Upstream[]; epoch: number | undefined }>(MAX_TENANTS, FRESH_MS);
  return {
    enabled: async (tenantId, epoch) => {
      const cached = known.get(tenantId, now());
      if (cached && (epoch === undefined || cached.epoch === epoch)) return cached.list;
      const list = await db
        .select(columns)
        .from(upstreamServer)
        .where(and(eq(upstreamServer.tenantId, tenantId), eq(upstreamServer.enabled, true)))
        .orderBy(asc(upstreamServer.slug));
      known.set(tenantId, { list, epoch }, now());
      return list;
    },
  };
}

/**
 * Enabled upstreams of the tenant whose slug, name or description contains the text, sorted by slug; at most `limit`.
 */
export async function searchUpstreams(
  db: Pick<Db, "select">,
  query: { tenantId: string; text: string; limit: number },
): Promise<Upstream[]> {
  const pattern = `%${query.text.replace(/[\\%_]/g, "\\$&")}%`;
  return db
    .select(columns)
    .from(upstreamServer)
    .where(
      and(
        eq(upstreamServer.tenantId, query.tenantId),
        eq(upstreamServer.enabled, true),
        or(
          ilike(upstreamServer.slug, pattern),
          ilike(upstreamServer.name, pattern),
          ilike(upstreamServer.description, pattern),
        ),
      ),
    )
    .orderBy(asc(upstreamServer.slug))
    .limit(query.limit);
}

/** All upstreams of the tenant, including disabled ones. */
export async function listUpstreams(db: Pick<Db, "select">, tenantId: string) {
  const { slug, name, description, enabled } = upstreamServer;
  return db
    .select({ slug, name, description, enabled })
    .from(upstreamServer)
    .where(eq(upstreamServer.tenantId, tenantId))
    .orderBy(asc(slug));
}
