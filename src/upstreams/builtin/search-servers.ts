import * as z from "zod/v4";
import { searchUpstreams } from "../servers.ts";
import { builtinTool } from "./tool.ts";

const MAX_RESULTS = 50;

/** Finds the servers that the caller's tenant has behind this gateway. */
export const searchServers = builtinTool({
  name: "search_servers",
  title: "Search servers",
  description:
    "Finds MCP servers behind this gateway whose name or description contains the text. Empty text lists all.",
  scopes: ["mcp-registry:read"],
  input: z.object({ query: z.string().max(200).default("").describe("Text to look for") }),
  output: z.object({
    servers: z.array(z.object({ slug: z.string(), name: z.string(), description: z.string(), toolPrefix: z.string() })),
  }),
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  run: async ({ query }, { caller, db }) => {
    const found = await searchUpstreams(db, { tenantId: caller.tenantId, text: query, limit: MAX_RESULTS });
    return {
      servers: found.map(({ slug, name, description }) => ({ slug, name, description, toolPrefix: `${slug}__` })),
    };
  },
});
