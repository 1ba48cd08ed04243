import * as z from "zod";
import { listUpstreams } from "../upstreams/servers.ts";
import { route } from "./deps.ts";

const server = z.object({
  slug: z.string(),
  name: z.string(),
  description: z.string(),
  enabled: z.boolean(),
  mcpUrl: z.string(),
});

/** The MCP servers that the caller's tenant has behind this gateway. Their own addresses are not shown. */
export const listServers = route({
  method: "get",
  path: "/api/v1/servers",
  summary: "MCP servers of your organization",
  who: { scopes: ["mcp-registry:read"] },
  out: z.object({ servers: z.array(server) }),
  handle: async ({ deps, caller }) => {
    const rows = await listUpstreams(deps.databases.read, caller.tenantId);
    return { servers: rows.map((row) => ({ ...row, mcpUrl: `${deps.config.BASE_URL}/mcp/${row.slug}` })) };
  },
});
