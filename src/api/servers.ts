import * as z from "zod";
import { listUpstreams } from "../upstreams/servers.ts";
import { route } from "./deps.ts";

const server = z
  .object({
    slug: z
      .string()
      .meta({ examples: ["notes"] })
      .describe("The short name, which is the prefix of its tools' names."),
    name: z.string().describe("The display name."),
    description: z.string().describe("What the server does."),
    enabled: z.boolean().describe("Whether the server can be used."),
    mcpUrl: z.string().describe("The MCP endpoint for this server only."),
  })
  .meta({ id: "Server", description: "An MCP server behind this gateway." });

/** Lists the upstreams of the caller's tenant. Their own addresses are not shown. */
export const listServers = route({
  method: "get",
  path: "/api/v1/servers",
  id: "listServers",
  tag: "Servers",
  summary: "List the MCP servers of your organization",
  who: { scopes: ["mcp-registry:read"] },
  out: z.object({ servers: z.array(server).describe("The servers.") }),
  handle: async ({ deps, caller }) => {
    const rows = await listUpstreams(deps.databases.read, caller.tenantId);
    return { servers: rows.map((row) => ({ ...row, mcpUrl: `${deps.config.BASE_URL}/mcp/${row.slug}` })) };
  },
});
