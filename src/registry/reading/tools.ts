import type { Db } from "../../platform/postgres/db.ts";
import { answerOf, OFFICIAL_META } from "./answer.ts";
import { parseName } from "../name.ts";
import { searchServers, type SearchInput } from "./search.ts";
import { findVersion, listServers } from "./servers.ts";

/**
 * A tenant's registry for MCP tools: short entries in lists, the whole definition for one server. `origin` is the
 * address of this gateway.
 */
export function registryTools(db: Pick<Db, "execute" | "batch">, origin: string) {
  return {
    search: async (tenantId: string, query: Omit<SearchInput, "cursor">) => {
      const { entries } = await searchServers(db, { kind: "tenant", tenantId }, query);
      return entries.map((entry) => {
        const { server } = answerOf(entry, origin);
        const packages = server.packages ?? [];
        const transports = [...(server.remotes ?? []), ...packages.map(({ transport }) => transport)];
        return {
          name: entry.name,
          title: server.title ?? null,
          description: server.description,
          version: entry.version,
          status: entry.status,
          transports: [...new Set(transports.map(({ type }) => type))],
          packageTypes: [...new Set(packages.map(({ registryType }) => registryType))],
          slug: entry.gatewaySlug,
        };
      });
    },
    list: async (tenantId: string, cursor?: string) => {
      const input = { limit: 100, version: "latest", includeDeleted: false, ...(cursor !== undefined && { cursor }) };
      const { entries, nextCursor } = await listServers(db, { kind: "tenant", tenantId }, input);
      const servers = entries.map(({ name, definition: { title, description } }) => ({
        name,
        title: title ?? null,
        description,
      }));
      return { servers, nextCursor };
    },
    find: async (tenantId: string, name: string, version: string) => {
      if (parseName(name) === undefined || !/^[\x21-\x7e]+$/.test(version)) return null;
      const entry = await findVersion(db, { kind: "tenant", tenantId }, name, version, { includeDeleted: false });
      if (entry === null) return null;
      const { server, _meta } = answerOf(entry, origin);
      return { server, status: _meta[OFFICIAL_META] };
    },
  };
}
