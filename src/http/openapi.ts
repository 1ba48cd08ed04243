import * as z from "zod";
import { ERROR_STATUS, type ErrorCode } from "../platform/errors.ts";
import { scopesOf } from "./mount.ts";
import { PROBLEM_TEXTS, problemShape, registryProblemShape } from "./problem.ts";
import type { Declaration, DeclaredAnswer, Tag } from "./route.ts";

type Json = Record<string, unknown>;

const TAGS: Readonly<Record<Tag, string>> = {
  Health: "Health of the gateway, and this document.",
  "API keys": "Keys that scripts and services use to call the gateway.",
  "OAuth clients": "OAuth clients that administrators created.",
  Servers: "MCP servers behind this gateway.",
  Limits: "Limits on the number of calls.",
  "Audit log": "The record of who did what.",
  Registry:
    "Reading the registry: the MCP Registry API v0.1. A URL that ends with a slash redirects (308) to the one without; OPTIONS answers 204 for browsers.",
  "Registry publishing":
    "Publishing to the registry: the MCP Registry API v0.1 and the token exchanges of `mcp-publisher login`.",
  "Registry management": "Namespaces, private views, mirrored registries, search and policies.",
};
const REGISTRY: readonly Tag[] = ["Registry", "Registry publishing"];

const ABOUT = `JSON API of the MCP Registry Gateway. Send one credential: an API key in \`x-api-key\`, or an OAuth access token or API key as \`Authorization: Bearer\`.
Errors are problem details (RFC 9457) with a stable \`code\`; each answer has the header \`x-request-id\`.`;

/**
 * Returns a function for the OpenAPI 3.1 document of declared routes. It is generated on the first call, then cached.
 */
export function openApiOf(declarations: readonly Declaration[], info: { version: string; server: string }): () => Json {
  let document: Json | undefined;
  return () => (document ??= openApiDocument(declarations, info));
}

function openApiDocument(
  declarations: readonly Declaration[],
  { version, server }: { version: string; server: string },
): Json {
  const components = new Components();
  const paths: Record<string, Json> = {};
  for (const declared of declarations) {
    (paths[declared.path] ??= {})[declared.method] = operation(declared, components);
  }
  const used = new Set(declarations.map(({ tag }) => tag));
  return {
    openapi: "3.1.0",
    info: {
      title: "MCP Registry Gateway",
      version,
      description: ABOUT,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: server, description: "This gateway" }],
    tags: Object.entries(TAGS).flatMap(([name, description]) => (used.has(name as Tag) ? [{ name, description }] : [])),
    paths,
    components: { schemas: components.schemas, responses: components.responses, securitySchemes: SECURITY },
  };
}

const SECURITY = {
  apiKey: { type: "apiKey", in: "header", name: "x-api-key", description: "An API key." },
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "An OAuth access token of this gateway, or an API key, with the scopes that are listed.",
  },
  publisherToken: {
    type: "http",
    scheme: "bearer",
    description: "A publisher token from `/v0.1/auth/…`, valid for five minutes.",
  },
};

function operation(declared: Declaration, components: Components): Json {
  const { id, tag, summary, description, answers, in: input } = declared;
  const body = input.body ?? input.json;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    security: securityOf(declared),
    parameters: [
      ...parameters("path", input.params, components),
      ...parameters("query", input.query, components),
      ...parameters("header", input.headers, components),
    ],
    ...(body && {
      requestBody: { required: true, content: { "application/json": { schema: components.schemaOf(body, "input") } } },
    }),
    responses: {
      ...Object.fromEntries([...answers].map(([status, answer]) => [status, success(answer, components)])),
      ...refusals(declared, components),
    },
  };
}

function securityOf({ who }: Declaration): Json[] {
  const withScopes = [{ apiKey: [] }, { bearer: scopesOf(who) }];
  if (who === "anyone" || who === "view") return [];
  if (who === "administrator" || "scopes" in who) return withScopes;
  return "optional" in who ? [{}, ...withScopes] : [{ publisherToken: [] }, ...withScopes];
}

function parameters(
  place: "path" | "query" | "header",
  schema: z.ZodObject | undefined,
  components: Components,
): Json[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = components.schemaOf(schema, "input") as ObjectSchema;
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    ...(description !== undefined && { description }),
    schema: rest,
  }));
}

interface ObjectSchema {
  properties?: Record<string, Json>;
  required?: string[];
}

function success({ schema, description, headers = {} }: DeclaredAnswer, components: Components): Json {
  const described = Object.entries(headers).map(([name, text]) => [
    name,
    { description: text, schema: { type: "string" } },
  ]);
  return {
    description,
    ...(described.length > 0 && { headers: Object.fromEntries(described) }),
    ...(schema && { content: { "application/json": { schema: components.schemaOf(schema, "output") } } }),
  };
}

/** One response for each status. It lists the error codes with that status. */
function refusals(declared: Declaration, components: Components): Json {
  const problem = REGISTRY.includes(declared.tag) ? registryProblemShape : problemShape;
  const byStatus = Map.groupBy(refusalCodes(declared), (code) => ERROR_STATUS[code]);
  const declaredStatus = new Set(declared.answers.keys());
  return Object.fromEntries(
    [...byStatus]
      .filter(([status]) => !declaredStatus.has(status))
      .map(([status, codes]) => [status, components.refusal(codes, problem)]),
  );
}

/**
 * The error codes of a route: those that follow from its input and from who may call it, its own, and those of every
 * route.
 */
export function refusalCodes({ who, in: input, bodyRules, refusals: own }: Declaration): ErrorCode[] {
  const body = input.body ?? input.json;
  const isChecked = input.query ?? input.params ?? input.body ?? input.headers;
  const codes: ErrorCode[] = [
    ...(isChecked || isCredential(who) ? (["invalid_request"] as const) : []),
    ...(who === "view" ? (["not_found", "forbidden", "rate_limited"] as const) : []),
    ...(isCredential(who) ? callerRefusals(who) : []),
    ...(body ? (["too_large"] as const) : []),
    ...(body && bodyRules.mediaType ? (["unsupported_media_type"] as const) : []),
    ...own,
    "internal",
    "unavailable",
  ];
  return [...new Set(codes)];
}

const isCredential = (who: Declaration["who"]) => who !== "anyone" && who !== "view";

function callerRefusals(who: Declaration["who"]): ErrorCode[] {
  const isOptional = typeof who === "object" && "optional" in who;
  return [
    ...(isOptional ? [] : (["unauthenticated"] as const)),
    "invalid_credential",
    "insufficient_scope",
    "forbidden",
    "rate_limited",
  ];
}

/** Named schemas and responses, each once. */
class Components {
  readonly schemas: Record<string, unknown> = {};
  readonly responses: Record<string, unknown> = {};

  /** A schema as JSON Schema 2020-12. A schema with an `id` becomes a component, which is referenced. */
  schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
    const converted = z.toJSONSchema(schema, {
      io,
      unrepresentable: "any",
      override: io === "output" ? openEnded : () => {},
    });
    const { $schema: _dialect, $defs = {}, ...rest } = withComponents(converted) as Json & { $defs?: Json };
    for (const [name, definition] of Object.entries($defs)) this.#add(name, definition);
    return rest;
  }

  #add(name: string, definition: unknown): void {
    const known = this.schemas[name];
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(definition))
      throw new Error(`two schemas have the id ${name}`);
    this.schemas[name] = definition;
  }

  refusal(codes: readonly ErrorCode[], problem: z.ZodType): Json {
    const schema = this.schemaOf(problem, "output");
    const name = `${codes.join(".")}${problem === registryProblemShape ? ".registry" : ""}`;
    this.responses[name] = {
      description: codes.map((code) => `\`${code}\`: ${PROBLEM_TEXTS[code]}`).join("\n\n"),
      ...headersOf(codes),
      content: { "application/problem+json": { schema } },
    };
    return { $ref: `#/components/responses/${name}` };
  }
}

const HEADERS: Readonly<Record<number, Json>> = {
  401: { "WWW-Authenticate": { description: "The challenge (RFC 6750, RFC 9449).", schema: { type: "string" } } },
  429: { "Retry-After": { description: "Seconds to wait.", schema: { type: "string" } } },
  503: { "Retry-After": { description: "Seconds to wait.", schema: { type: "string" } } },
};

function headersOf([code]: readonly ErrorCode[]): Json {
  const headers = code === undefined ? undefined : HEADERS[ERROR_STATUS[code]];
  return headers ? { headers } : {};
}

/** Removes `additionalProperties: false` from answers: later releases may add members, which clients must accept. */
function openEnded({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
}

/** Rewrites references: zod puts definitions next to each schema, OpenAPI in one place. */
function withComponents(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withComponents);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      key === "$ref" && typeof member === "string"
        ? member.replace("#/$defs/", "#/components/schemas/")
        : withComponents(member),
    ]),
  );
}
