import type { Context } from "hono";
import * as z from "zod";
import { AppError } from "../platform/errors.ts";
import type { JsonRules } from "../platform/body.ts";
import { readJsonText, readJsonValue } from "./body.ts";
import type { HttpEnv } from "../platform/http.ts";
import { check, type Place } from "../platform/faults.ts";

interface Schemas {
  query?: z.ZodObject;
  params?: z.ZodObject;
  headers?: z.ZodObject;
  body?: z.ZodType;
  json?: z.ZodType;
}

/**
 * Reads and checks the parts of a request that have a schema. Throws 400 with every fault, 413 for a body that is too
 * large and 415 for one of a wrong type.
 */
export async function readInput(
  c: Context<HttpEnv>,
  { query, params, headers, body, json }: Schemas,
  rules: JsonRules,
): Promise<Record<string, unknown>> {
  const read: Record<string, unknown> = {};
  const faults: string[] = [];
  const take = (name: string, place: Place, schema: z.ZodType, value: unknown) => {
    const checked = check(schema, value, place);
    if ("data" in checked) read[name] = checked.data;
    else faults.push(...checked.faults);
  };
  if (query) take("query", "query", query, uniqueParameters(new URL(c.req.url).searchParams, query));
  if (params) take("params", "path", params, c.req.param());
  if (headers) take("headers", "header", headers, headersNamed(c, Object.keys(headers.shape)));
  if (body) take("body", "body", body, await readJsonValue(c.req.raw, rules));
  if (json) read["json"] = await readJsonText(c.req.raw, rules);
  if (faults.length > 0) throw new AppError("invalid_request", faults.join(" "));
  return read;
}

const headersNamed = (c: Context<HttpEnv>, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, c.req.header(name)]));

/**
 * Refuses repeated parameters, because parsers treat them differently. Unknown parameters may repeat where the schema
 * allows them.
 */
function uniqueParameters(parameters: URLSearchParams, schema: z.ZodObject): Record<string, string> {
  const isStrict = schema.def.catchall instanceof z.ZodNever;
  const names = [...parameters.keys()].filter((name) => isStrict || Object.hasOwn(schema.shape, name));
  if (new Set(names).size !== names.length)
    throw new AppError("invalid_request", "Send each query parameter only once.");
  return Object.fromEntries(parameters);
}
