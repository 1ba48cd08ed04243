import * as z from "zod/v4";
import { searchUpstreams } from "../servers.ts";
import { builtinTool } from "./tool.ts";

const MAX_UPSTREAMS = 50;
const MAX_RESULTS = 50;

const entry = z.object({
  name: z.string(),
  title: z.string().nullable(),
  description: z.string(),
  version: z.string(),
  status: z.string(),
  transports: z.array(z.string()),
  packageTypes: z.array(z.string()),
  slug: z.string().nullable().describe("Slug of the server behind this gateway that the entry points to, or null"),
});

/** Finds servers of the caller's tenant: those behind this gateway, and those in its registry. */
export const searchServers = builtinTool({
  name: "search_servers",
  title: "Search servers",
  description:
    "Finds MCP servers: those behind this gateway whose name or description contains the text (`servers`), and those of the registry that match it, best match first (`registry`). Empty text lists all. get_server returns the details of a server of the registry.",
  scopes: ["mcp:tools"],
  input: z.object({
    query: z
      .string()
      .max(200)
      .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), "must not have control characters")
      .default("")
      .describe("Text to search for"),
    transport: z
      .enum(["stdio", "streamable-http", "sse"])
      .optional()
      .describe("Only servers of the registry that can be reached by this transport"),
    packageType: z
      .enum(["npm", "pypi", "oci", "nuget", "mcpb", "cargo"])
      .optional()
      .describe("Only servers of the registry that have a package of this type"),
    status: z.enum(["active", "deprecated"]).optional(),
    limit: z.int().min(1).max(MAX_RESULTS).default(20).describe("Maximum number of servers of the registry"),
  }),
  output: z.object({
    servers: z.array(z.object({ slug: z.string(), name: z.string(), description: z.string(), toolPrefix: z.string() })),
    registry: z.array(entry),
  }),
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  run: async ({ query, limit, transport, packageType, status }, { caller, db, registry }) => {
    const [upstreams, entries] = await Promise.all([
      searchUpstreams(db, { tenantId: caller.tenantId, text: query, limit: MAX_UPSTREAMS }),
      registry.search(caller.tenantId, {
        text: query,
        limit,
        ...(transport && { transport }),
        ...(packageType && { packageType }),
        ...(status && { status }),
      }),
    ]);
    return {
      servers: upstreams.map(({ slug, name, description }) => ({ slug, name, description, toolPrefix: `${slug}__` })),
      registry: entries.map((found) => ({ ...found })),
    };
  },
});
