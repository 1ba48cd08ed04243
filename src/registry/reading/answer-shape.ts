import * as z from "zod";
import { OFFICIAL_META } from "./answer.ts";

/** A time in an answer: RFC 3339 in UTC, such as `2026-01-31T12:00:00.000Z`. */
const time = (description: string) => z.string().meta({ format: "date-time", description });

const icon = z.object({
  src: z.string().describe("The URL of the image."),
  mimeType: z.string().optional().describe("Its media type."),
  sizes: z.array(z.string()).optional().describe("Sizes such as `48x48`, or `any`."),
  theme: z.enum(["light", "dark"]).optional().describe("The background that it is designed for."),
});
const transport = z.object({
  type: z.enum(["stdio", "streamable-http", "sse"]).describe("How clients connect to the server."),
  url: z.string().optional().describe("The URL of the server; absent for stdio."),
});
const packageShape = z.object({
  registryType: z
    .string()
    .meta({ examples: ["npm"] })
    .describe("The package registry."),
  identifier: z.string().describe("The name of the package, or its URL."),
  version: z.string().optional().describe("The version of the package."),
  transport: transport.describe("How clients connect to it."),
});

/** A server.json (2025-12-11), with the fields that the documentation of this API describes. */
export const definitionShape = z
  .object({
    $schema: z
      .string()
      .meta({ format: "uri" })
      .describe("The JSON Schema of the definition; it describes every field."),
    name: z
      .string()
      .meta({ examples: ["com.example/weather"] })
      .describe("Namespace and name of the server, separated by a slash."),
    title: z.string().optional().describe("The display name."),
    description: z.string().describe("What the server does, in at most 100 characters."),
    version: z
      .string()
      .meta({ examples: ["1.0.0"] })
      .describe("The version of the server; never changed once it is published."),
    repository: z
      .object({
        url: z.string().describe("The URL of the source code."),
        source: z
          .string()
          .meta({ examples: ["github"] })
          .describe("The service that hosts it."),
      })
      .optional()
      .describe("The source code."),
    websiteUrl: z.string().optional().describe("A page about the server."),
    icons: z.array(icon).optional().describe("Icons."),
    packages: z
      .array(packageShape)
      .optional()
      .describe("Packages that run on the user's machine; the schema has more fields."),
    remotes: z.array(transport).optional().describe("URLs at which the server runs; the schema has more fields."),
    _meta: z.record(z.string(), z.unknown()).optional().describe("Further data of the publisher."),
  })
  .meta({ id: "ServerDefinition", description: "A server.json of the MCP registry (schema 2025-12-11)." });

/** `ServerResponse` of the MCP Registry API (v0.1). */
export const serverShape = z
  .object({
    server: definitionShape.describe("The server.json."),
    _meta: z
      .object({
        [OFFICIAL_META]: z
          .object({
            status: z.enum(["active", "deprecated", "deleted"]).describe("Whether clients should use this version."),
            statusChangedAt: time("When the status was last changed."),
            statusMessage: z.string().optional().describe("Why it is deprecated or deleted."),
            publishedAt: time("When this version was published."),
            updatedAt: time("When this version was last changed."),
            isLatest: z.boolean().describe("Whether this is the latest version of the server."),
          })
          .describe("What the registry states about this version."),
      })
      .describe("What registries state about this version."),
  })
  .meta({ id: "RegistryServer", description: "One version of a server in the registry." });

/** `ServerList` of the MCP Registry API (v0.1). */
export const serverListShape = z
  .object({
    servers: z.array(serverShape).describe("The versions of this page."),
    metadata: z
      .object({
        count: z.number().int().describe("How many entries this page has."),
        nextCursor: z.string().optional().describe("The `cursor` of the next page; absent on the last one."),
      })
      .describe("About this page."),
  })
  .meta({ id: "RegistryServerList", description: "A page of servers." });
