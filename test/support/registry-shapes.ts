import { z } from "zod";

// The answers of the MCP Registry API (v0.1, OpenAPI document 2025-12-01) and a server.json (2025-12-11), written anew for tests: what this
// registry sends must fit, and has no field that these do not name.

const inputFields = {
  description: z.string().optional(),
  isRequired: z.boolean().optional(),
  format: z.enum(["string", "number", "boolean", "filepath"]).optional(),
  value: z.string().optional(),
  isSecret: z.boolean().optional(),
  default: z.string().optional(),
  placeholder: z.string().optional(),
  choices: z.array(z.string()).optional(),
};
const variables = z.record(z.string(), z.strictObject(inputFields)).optional();
const namedInput = z.strictObject({ name: z.string(), ...inputFields, variables });
const argumentFields = {
  ...inputFields,
  variables,
  isRepeated: z.boolean().optional(),
  valueHint: z.string().optional(),
};

const argument = z.union([
  z
    .strictObject({ type: z.literal("positional"), ...argumentFields })
    .refine(({ value, valueHint }) => value !== undefined || valueHint !== undefined),
  z.strictObject({ type: z.literal("named"), name: z.string(), ...argumentFields }),
]);

const url = z.string().regex(/^https?:\/\/[^\s]+$/);
const headers = z.array(namedInput).optional();
const remoteType = z.enum(["streamable-http", "sse"]);
const transport = z.union([
  z.strictObject({ type: z.literal("stdio") }),
  z.strictObject({ type: remoteType, url, headers }),
]);

const packageShape = z.strictObject({
  registryType: z.string(),
  registryBaseUrl: z.url().optional(),
  identifier: z.string(),
  version: z
    .string()
    .min(1)
    .regex(/^(?!latest$)/)
    .optional(),
  fileSha256: z
    .string()
    .regex(/^[a-f0-9]{64}$/)
    .optional(),
  runtimeHint: z.string().optional(),
  transport,
  runtimeArguments: z.array(argument).optional(),
  packageArguments: z.array(argument).optional(),
  environmentVariables: z.array(namedInput).optional(),
});

const icon = z.strictObject({
  src: z.url().max(255),
  mimeType: z.enum(["image/png", "image/jpeg", "image/jpg", "image/svg+xml", "image/webp"]).optional(),
  sizes: z.array(z.string().regex(/^(\d+x\d+|any)$/)).optional(),
  theme: z.enum(["light", "dark"]).optional(),
});

/** A server.json as the registry sends it: `ServerDetail`. */
export const serverDetail = z.strictObject({
  $schema: z.url(),
  name: z
    .string()
    .min(3)
    .max(200)
    .regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
  title: z.string().min(1).max(100).optional(),
  description: z.string().min(1).max(100),
  version: z.string().min(1).max(255),
  repository: z
    .strictObject({ url: z.url(), source: z.string(), id: z.string().optional(), subfolder: z.string().optional() })
    .optional(),
  websiteUrl: z.url().optional(),
  icons: z.array(icon).optional(),
  remotes: z.array(z.strictObject({ type: remoteType, url, headers, variables })).optional(),
  packages: z.array(packageShape).optional(),
  _meta: z
    .strictObject({
      "io.modelcontextprotocol.registry/publisher-provided": z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
});

const moment = z.iso.datetime();

/** What the registry itself says of a version. The document allows no further field. */
export const officialMeta = z.strictObject({
  status: z.enum(["active", "deprecated", "deleted"]),
  statusChangedAt: moment,
  statusMessage: z.string().max(500).optional(),
  publishedAt: moment,
  updatedAt: moment,
  isLatest: z.boolean(),
});

/** One version of a server: `ServerResponse`. Other keys of `_meta` are the registry's own, in reverse-DNS form. */
export const serverResponse = z.strictObject({
  server: serverDetail,
  _meta: z
    .object({ "io.modelcontextprotocol.registry/official": officialMeta })
    .catchall(z.record(z.string(), z.unknown()))
    .refine((meta) => Object.keys(meta).every((key) => /^[a-z0-9.-]+\/[a-z0-9._-]+$/i.test(key))),
});

/** What follows a page. VS Code pastes the cursor into a URL as it is, so it must need no encoding. */
const listMetadata = z.strictObject({
  count: z.int().min(0),
  nextCursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]+$/)
    .optional(),
});

/** A page of servers, or the versions of one: `ServerList`. */
export const serverList = z
  .strictObject({ servers: z.array(serverResponse), metadata: listMetadata })
  .refine(({ servers, metadata }) => servers.length === metadata.count);

/** The answer to a change of the status of all versions: `AllVersionsStatusResponse`. */
export const allVersionsStatus = z
  .strictObject({ updatedCount: z.int().min(0), servers: z.array(serverResponse) })
  .refine(({ servers, updatedCount }) => servers.length === updatedCount);
