import type { Context, Hono } from "hono";
import * as z from "zod";
import { ANY_JSON_TYPE, bodyError, readJson } from "./body.ts";
import { AppError } from "./errors.ts";
import { originOf, type HttpEnv, type RequestOrigin } from "./http.ts";

/** Who may use a route: anyone, or a caller whose credential holds all of these scopes. There is no default. */
export type Who = "anyone" | { scopes: readonly string[] };

interface Input {
  query?: z.ZodObject;
  params?: z.ZodObject;
  body?: z.ZodType;
}

type Parsed<I extends Input> = { [K in keyof I]: I[K] extends z.ZodType ? z.infer<I[K]> : never };

interface RouteSpec<Deps, Caller, I extends Input, Out extends z.ZodType, W extends Who> {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** OpenAPI form: `/things/{id}`. */
  path: `/${string}`;
  summary: string;
  who: W;
  in?: I;
  out: Out;
  /** Of the answer when all goes well; 200 unless said otherwise. */
  status?: (output: z.infer<Out>) => 200 | 201 | 202 | 503;
  handle: (work: {
    deps: Deps;
    caller: W extends "anyone" ? undefined : Caller;
    input: Parsed<I>;
    from: RequestOrigin;
  }) => Promise<z.infer<Out>> | z.infer<Out>;
}

/** A declared route: what it validates, documents and allows follows from the declaration. */
export interface Route<Deps, Caller> {
  method: string;
  path: string;
  summary: string;
  who: Who;
  in: Input;
  out: z.ZodType;
  answer: (c: Context<HttpEnv>, deps: Deps, caller: Caller | undefined) => Promise<Response>;
}

/** Finds out who calls and refuses callers that lack a scope; called only for routes that are not for anyone. */
export type AuthenticateRoute<Caller> = (c: Context<HttpEnv>, scopes: readonly string[]) => Promise<Caller>;

/**
 * `route` for one plane's dependencies and callers. It declares a JSON route: input that does not fit its schemas is a 400 that
 * names every fault; output is typed by its schema.
 */
export function routesFor<Deps, Caller>() {
  return function route<const I extends Input, Out extends z.ZodType, const W extends Who>(
    spec: RouteSpec<Deps, Caller, I, Out, W>,
  ): Route<Deps, Caller> {
    const input = spec.in ?? {};
    return {
      method: spec.method,
      path: spec.path,
      summary: spec.summary,
      who: spec.who,
      in: input,
      out: spec.out,
      answer: async (c, deps, caller) => {
        const parsed = (await readInput(c, input)) as Parsed<I>;
        const output = await spec.handle({
          deps,
          caller: caller as W extends "anyone" ? undefined : Caller,
          input: parsed,
          from: originOf(c.get("requestId"), c.req.raw.headers),
        });
        return Response.json(output, {
          status: spec.status?.(output) ?? 200,
          headers: { "cache-control": "no-store" },
        });
      },
    };
  };
}

/** Serves declared routes; an unknown method on a known path is a 405 that lists the known ones. */
export function mountRoutes<Deps, Caller>(
  app: Hono<HttpEnv>,
  routes: readonly Route<Deps, Caller>[],
  deps: Deps,
  authenticate: AuthenticateRoute<Caller>,
): void {
  for (const declared of routes) {
    app.on(declared.method.toUpperCase(), honoPath(declared.path), async (c) => {
      const caller = declared.who === "anyone" ? undefined : await authenticate(c, declared.who.scopes);
      return declared.answer(c, deps, caller);
    });
  }
  for (const path of new Set(routes.map((declared) => declared.path))) {
    const allow = routes.filter((declared) => declared.path === path).map((declared) => declared.method.toUpperCase());
    app.all(honoPath(path), () => {
      throw new AppError("method_not_allowed", `Use ${allow.join(" or ")}.`, { headers: { allow: allow.join(", ") } });
    });
  }
}

export const honoPath = (path: string) => path.replace(/\{(\w+)\}/g, ":$1");

async function readInput(c: Context<HttpEnv>, input: Input): Promise<Record<string, unknown>> {
  const read: Record<string, unknown> = {};
  const faults: string[] = [];
  const check = (place: string, schema: z.ZodType | undefined, value: () => unknown) => {
    if (!schema) return;
    const parsed = schema.safeParse(value());
    if (parsed.success) read[place] = parsed.data;
    else faults.push(...parsed.error.issues.map((issue) => `${[place, ...issue.path].join(".")}: ${issue.message}`));
  };
  check("query", input.query, () => uniqueParameters(new URL(c.req.url).searchParams));
  check("params", input.params, () => c.req.param());
  if (input.body) {
    const body = await readJson(c.req.raw, { limitBytes: MAX_JSON_BYTES, mediaType: ANY_JSON_TYPE });
    if ("refusal" in body) throw bodyError(body.refusal);
    check("body", input.body, () => body.value);
  }
  if (faults.length > 0) throw new AppError("invalid_request", `${faults.join("; ")}.`);
  return read;
}

/** A parameter given twice reads differently to different parsers: refuse it. */
function uniqueParameters(parameters: URLSearchParams): Record<string, string> {
  const names = [...parameters.keys()];
  if (new Set(names).size !== names.length) throw new AppError("invalid_request", "Give each query parameter once.");
  return Object.fromEntries(parameters);
}

const MAX_JSON_BYTES = 262_144;

/** The OpenAPI 3.1 description of declared routes; schemas are inlined, so that each operation reads on its own. */
export function openApiDocument(
  routes: readonly Route<never, never>[],
  info: { title: string; version: string; server: string },
): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const declared of routes) {
    (paths[declared.path] ??= {})[declared.method] = operation(declared);
  }
  return {
    openapi: "3.1.0",
    info: { title: info.title, version: info.version },
    servers: [{ url: info.server }],
    paths,
    components: {
      securitySchemes: {
        apiKey: { type: "apiKey", in: "header", name: "x-api-key" },
        bearer: { type: "http", scheme: "bearer" },
      },
    },
  };
}

function operation(declared: Route<never, never>): Record<string, unknown> {
  const problem = { description: "Problem details (RFC 9457)", content: { "application/problem+json": {} } };
  return {
    summary: declared.summary,
    security: declared.who === "anyone" ? [] : [{ apiKey: [] }, { bearer: declared.who.scopes }],
    parameters: [...parametersOf("query", declared.in.query), ...parametersOf("path", declared.in.params)],
    ...(declared.in.body && {
      requestBody: {
        required: true,
        content: { "application/json": { schema: z.toJSONSchema(declared.in.body, { io: "input" }) } },
      },
    }),
    responses: {
      200: { description: "OK", content: { "application/json": { schema: z.toJSONSchema(declared.out) } } },
      default: problem,
    },
  };
}

function parametersOf(place: "query" | "path", schema: z.ZodObject | undefined): Record<string, unknown>[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(schema, { io: "input" });
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === "path" || required.includes(name),
    schema: property,
  }));
}
