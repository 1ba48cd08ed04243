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
  slug: z.string().nullable().describe("Of the server behind this gateway that the entry points at; null: none"),
});

/** Finds the servers that the caller's tenant has behind this gateway and in its registry. */
export const searchServers = builtinTool({
  name: "search_servers",
  title: "Search servers",
  description:
    "Finds MCP servers: those behind this gateway whose name or description contains the text (`servers`), and those of the registry that match it, best first (`registry`). Empty text lists all. get_server has the details of one of the registry.",
  scopes: ["mcp-registry:read"],
  input: z.object({
    query: z
      .string()
      .max(200)
      .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), "must not have control characters")
      .default("")
      .describe("Text to look for"),
    transport: z
      .enum(["stdio", "streamable-http", "sse"])
      .optional()
      .describe("Of the registry only what can be reached so"),
    packageType: z
      .enum(["npm", "pypi", "oci", "nuget", "mcpb", "cargo"])
      .optional()
      .describe("Of the registry only what is packaged so"),
    status: z.enum(["active", "deprecated"]).optional(),
    limit: z.int().min(1).max(MAX_RESULTS).default(20).describe("Of the registry at most so many"),
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
