import * as z from "zod";
import type { Who } from "../http/route.ts";
import { listAnswerOf, answerOf } from "../registry/reading/answer.ts";
import { serverListShape, serverShape } from "../registry/reading/answer-shape.ts";
import { MAX_NAME_LENGTH } from "../registry/name.ts";
import { listQuestion, versionQuestion, versionsQuestion } from "../registry/reading/servers.ts";
import { MAX_VERSION_LENGTH } from "../registry/version.ts";
import { answerFrom, notThere } from "./answers.ts";
import { listInputOf, listQuery, serverQuery } from "./query.ts";
import { route, VERSIONS, type RegistryRoute } from "./route.ts";

/** A place where the registry is read. Each has the same three routes, and each answer is one statement. */
interface Place {
  root: `/${string}`;
  suffix: string;
  who: Extract<Who, "view" | { optional: unknown }>;
  secret: Record<string, z.ZodType>;
  about: string;
}

const OWN = {
  who: { optional: ["mcp-registry:read"] },
  secret: {},
  about: "With a credential, the registry of its organization; without one, the public servers.",
} as const;
const VIEW = {
  who: "view",
  secret: { secret: z.string().describe("The secret of the private view.") },
  about:
    "The registry of the organization that owns this private view. The address contains the secret; no credential is needed.",
} as const;

const PLACES: readonly Place[] = [
  ...VERSIONS.map((version) => ({ ...OWN, ...version })),
  ...VERSIONS.map(({ root, suffix }) => ({ ...VIEW, root: `/r/{secret}${root}` as const, suffix: `OfView${suffix}` })),
];

const serverName = z
  .string()
  .describe("The full name as one path segment, with `%2F` for its slash: `com.example%2Fweather`.");

const cached = {
  headers: {
    etag: "The ETag of this answer. Send it as If-None-Match.",
    "cache-control": "How long the answer may be cached.",
    age: "Age of the answer in seconds, when it is stale because the registry cannot read a current one.",
  },
  others: { 304: { schema: null, description: "Not changed since the answer with this ETag." } },
} as const;
const headers = z.object({
  "if-none-match": z.string().optional().describe("The ETag of a previous answer."),
});
const conditional = { headers } as const;

const reads = ({ root, suffix, who, secret, about }: Place): RegistryRoute[] => [
  route({
    method: "get",
    path: `${root}/servers`,
    id: `listRegistryServers${suffix}`,
    tag: "Registry",
    summary: "List the servers of the registry",
    description: about,
    who,
    in: { ...conditional, params: z.object(secret), query: listQuery },
    out: serverListShape,
    ...cached,
    handle: ({ deps, caller: reader, input, request }) => {
      const asked = listInputOf(input.query);
      return answerFrom(deps, request, reader, {
        key: `list ${JSON.stringify(asked)}`,
        question: (scope) => {
          const { query, read } = listQuestion(scope, asked);
          return {
            query,
            read: (rows) => {
              const { entries, nextCursor } = read(rows);
              return listAnswerOf(entries, nextCursor, deps.config.BASE_URL);
            },
          };
        },
      });
    },
  }),
  route({
    method: "get",
    path: `${root}/servers/{serverName}/versions`,
    id: `listRegistryServerVersions${suffix}`,
    tag: "Registry",
    summary: "List the versions of a server, newest first",
    description: about,
    who,
    in: { ...conditional, params: z.object({ ...secret, serverName }), query: serverQuery },
    out: serverListShape,
    ...cached,
    refusals: ["not_found"],
    handle: ({ deps, caller: reader, input, request }) => {
      const name = nameOf(input.params.serverName);
      const flags = flagsOf(input.query);
      return answerFrom(deps, request, reader, {
        key: `versions ${JSON.stringify([name, flags])}`,
        question: (scope) => {
          const { query, read } = versionsQuestion(scope, name, flags);
          return {
            query,
            read: (rows) => (rows.length === 0 ? null : listAnswerOf(read(rows), null, deps.config.BASE_URL)),
          };
        },
      });
    },
  }),
  route({
    method: "get",
    path: `${root}/servers/{serverName}/versions/{version}`,
    id: `getRegistryServerVersion${suffix}`,
    tag: "Registry",
    summary: "Get one version of a server",
    description: about,
    who,
    in: {
      ...conditional,
      params: z.object({ ...secret, serverName, version: z.string().describe("`latest`, or one version.") }),
      query: serverQuery,
    },
    out: serverShape,
    ...cached,
    refusals: ["not_found"],
    handle: ({ deps, caller: reader, input, request }) => {
      const name = nameOf(input.params.serverName);
      const { version } = input.params;
      if (version.length > MAX_VERSION_LENGTH) throw notThere();
      const flags = flagsOf(input.query);
      return answerFrom(deps, request, reader, {
        key: `version ${JSON.stringify([name, version, flags])}`,
        question: (scope) => {
          const { query, read } = versionQuestion(scope, { name, version, ...flags });
          return {
            query,
            read: (rows) => {
              const entry = read(rows);
              return entry && answerOf(entry, deps.config.BASE_URL);
            },
          };
        },
      });
    },
  }),
];

/** The read routes of the MCP Registry API, in each of its places. */
export const readRoutes: readonly RegistryRoute[] = PLACES.flatMap(reads);

const flagsOf = (query: z.infer<typeof serverQuery>) => ({ includeDeleted: query.include_deleted ?? false });

/** Checks a name. A text that cannot be a name is not found, without asking Postgres. */
function nameOf(name: string): string {
  if (name.length > MAX_NAME_LENGTH || !name.includes("/")) throw notThere();
  return name;
}
