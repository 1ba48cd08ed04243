import type { CallToolResult, Tool, ToolAnnotations } from "@modelcontextprotocol/server";
import * as z from "zod/v4";
import type { Scope } from "../../identity/scopes.ts";
import { check } from "../../platform/faults.ts";
import { isObject } from "../../platform/json.ts";
import type { Db } from "../../platform/postgres/db.ts";

/** The caller of a tool, with what tools need to know. */
export interface ToolCaller {
  userId: string;
  tenantId: string;
  scopes: readonly Scope[];
  credential: { kind: "access_token" | "api_key"; name: string | null };
  clientId: string | null;
}

/** A server of the registry, as a list shows it. */
export interface ToolRegistryEntry {
  name: string;
  title: string | null;
  description: string;
  version: string;
  status: string;
  transports: string[];
  packageTypes: string[];
  slug: string | null;
}

/** A tenant's registry, as tools read it. */
export interface ToolRegistry {
  search: (
    tenantId: string,
    query: {
      text: string;
      limit: number;
      transport?: "stdio" | "streamable-http" | "sse";
      packageType?: "npm" | "pypi" | "oci" | "nuget" | "mcpb" | "cargo";
      status?: "active" | "deprecated";
    },
  ) => Promise<ToolRegistryEntry[]>;
  /** The latest versions of servers, at most a hundred per page. Throws an AppError for an invalid cursor. */
  list: (
    tenantId: string,
    cursor?: string,
  ) => Promise<{ servers: Pick<ToolRegistryEntry, "name" | "title" | "description">[]; nextCursor: string | null }>;
  /** Null when the server or version does not exist or is deleted. */
  find: (tenantId: string, name: string, version: string) => Promise<{ server: object; status: object } | null>;
}

export interface ToolContext {
  caller: ToolCaller;
  db: Pick<Db, "select">;
  registry: ToolRegistry;
}

/** A tool that this gateway answers itself. */
export interface BuiltinTool {
  name: string;
  /** The caller needs all of them. */
  scopes: readonly Scope[];
  definition: () => Tool;
  call: (args: unknown, context: ToolContext) => Promise<CallToolResult>;
}

interface Declaration<Input extends z.ZodObject, Output extends z.ZodObject> {
  name: string;
  title: string;
  description: string;
  scopes: readonly Scope[];
  input: Input;
  output: Output;
  annotations: ToolAnnotations;
  run: (args: z.infer<Input>, context: ToolContext) => Promise<z.infer<Output>> | z.infer<Output>;
}

/**
 * Declares a built-in tool with its schemas. Invalid arguments give an `isError` result that says what is wrong (MCP
 * 2026-07-28, server/tools, error handling), because a model can correct them.
 */
export function builtinTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  declaration: Declaration<Input, Output>,
): BuiltinTool {
  const { name, title, description, scopes, input, output, annotations, run } = declaration;
  let definition: Tool | undefined;
  return {
    name,
    scopes,
    definition: () =>
      (definition ??= {
        name,
        title,
        description,
        inputSchema: objectSchema(input),
        outputSchema: objectSchema(output),
        annotations,
      }),
    call: async (args, context) => {
      const checked = check(input, args ?? {}, "arguments");
      if ("faults" in checked) {
        const text = `Invalid arguments for ${name}. ${checked.faults.join(" ")}`;
        return { isError: true, content: [{ type: "text", text }] };
      }
      const structuredContent = await run(checked.data, context);
      return { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent };
    },
  };
}

/**
 * A schema in the form that every SDK compiles: without `$schema`, because several know only one dialect, and with a
 * single type in each place instead of a list of types.
 */
function objectSchema(schema: z.ZodObject): Tool["inputSchema"] {
  const { $schema: _dialect, ...described } = z.toJSONSchema(schema, { io: "input" });
  return { ...(JSON.parse(JSON.stringify(described), withOneType) as object), type: "object" };
}

/** A reviver of JSON: `{"type": ["string", "null"]}` becomes `{"anyOf": [{"type": "string"}, {"type": "null"}]}`. */
function withOneType(_name: string, value: unknown): unknown {
  if (!isObject(value) || !Array.isArray(value["type"])) return value;
  const { type: types, ...rest } = value;
  return { ...rest, anyOf: (types as unknown[]).map((type) => ({ type })) };
}
