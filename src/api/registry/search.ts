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
    .describe("Words, beginnings of words, or nearly so. Empty: every server."),
  transport: z.enum(TRANSPORTS).optional().describe("Only servers that are reached in this way."),
  packageType: z.enum(PACKAGE_TYPES).optional().describe("Only servers with a package of this kind."),
  status: z.enum(["active", "deprecated", "deleted"]).optional().describe("Without one: all but deleted ones."),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIMIT.most)
    .default(LIMIT.usual)
    .describe("How many servers a page has at most."),
  cursor: z.string().optional().describe("From the page before, with the same text and filters."),
});

/** Ranked and forgiving, unlike `search` of the registry API, which finds exactly what contains the text. */
export const searchRegistry = route({
  method: "get",
  path: "/api/v1/registry/search",
  id: "searchRegistry",
  tag: "Registry management",
  summary: "Search your organization's registry: by words, beginnings of words and nearly so, best first",
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
