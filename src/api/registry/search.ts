import * as z from "zod";
import { answerOf } from "../../registry/reading/answer.ts";
import { serverShape } from "../../registry/reading/answer-shape.ts";
import { nextCursor } from "../shapes.ts";
import { isSearchText, MAX_SEARCH_LENGTH } from "../../registry/reading/cursor.ts";
import { PACKAGE_TYPES, searchServers, TRANSPORTS } from "../../registry/reading/search.ts";
import { route } from "../deps.ts";

const LIMIT = { usual: 30, most: 100 };

const query = z.object({
  text: z
    .string()
    .refine(
      (text) => text === "" || isSearchText(text),
      `must be at most ${MAX_SEARCH_LENGTH} characters, without control characters`,
    )
    .default("")
    .describe("Words or beginnings of words; similar spellings match too. Empty: all servers."),
  transport: z.enum(TRANSPORTS).optional().describe("Only servers with this transport."),
  packageType: z.enum(PACKAGE_TYPES).optional().describe("Only servers with a package of this kind."),
  status: z
    .enum(["active", "deprecated", "deleted"])
    .optional()
    .describe("Only servers with this status. Default: all but deleted ones."),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIMIT.most)
    .default(LIMIT.usual)
    .describe("Maximum number of servers on a page."),
  cursor: z.string().optional().describe("The nextCursor of the previous page; send the same text and filters."),
});

/**
 * A ranked search that also matches similar spellings, unlike `search` of the registry API, which finds exact
 * substrings.
 */
export const searchRegistry = route({
  method: "get",
  path: "/api/v1/registry/search",
  id: "searchRegistry",
  tag: "Registry management",
  summary: "Search your organization's registry by words, beginnings of words and similar spellings, best match first",
  who: { scopes: ["mcp-registry:read"] },
  in: { query: query.strict() },
  out: z.object({
    servers: z.array(serverShape).describe("The servers, best first."),
    nextCursor,
  }),
  handle: async ({ deps, caller, input: { query: asked } }) => {
    const { transport, packageType, status, cursor, text, limit } = asked;
    const { entries, nextCursor: next } = await searchServers(
      deps.databases.read,
      { kind: "tenant", tenantId: caller.tenantId },
      {
        text,
        limit,
        ...(transport && { transport }),
        ...(packageType && { packageType }),
        ...(status && { status }),
        ...(cursor !== undefined && { cursor }),
      },
    );
    return { servers: entries.map((entry) => answerOf(entry, deps.config.BASE_URL)), nextCursor: next };
  },
});
