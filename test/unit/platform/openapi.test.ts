import { describe, expect, it } from "vitest";
import * as z from "zod";
import { routes as managementRoutes } from "../../../src/api/api.ts";
import { openApiDocument, routesFor, type Route } from "../../../src/platform/route.ts";

const schema = z.record(z.string(), z.unknown());

/** The part of OpenAPI 3.1 that a description of ours uses; unknown members are faults. */
const document = z.strictObject({
  openapi: z.literal("3.1.0"),
  info: z.strictObject({ title: z.string().min(1), version: z.string().min(1) }),
  servers: z.array(z.strictObject({ url: z.url() })).min(1),
  paths: z.record(
    z.string().startsWith("/"),
    z.partialRecord(
      z.enum(["get", "post", "put", "patch", "delete"]),
      z.strictObject({
        summary: z.string().min(1),
        security: z.array(z.record(z.enum(["apiKey", "bearer"]).or(z.never()), z.array(z.string())).or(z.object({}))),
        parameters: z.array(
          z.strictObject({
            name: z.string().min(1),
            in: z.enum(["query", "path"]),
            required: z.boolean(),
            schema,
          }),
        ),
        requestBody: z
          .strictObject({
            required: z.literal(true),
            content: z.strictObject({ "application/json": z.strictObject({ schema }) }),
          })
          .optional(),
        responses: z.strictObject({
          200: z.strictObject({
            description: z.string(),
            content: z.strictObject({ "application/json": z.strictObject({ schema }) }),
          }),
          default: z.strictObject({
            description: z.string(),
            content: z.strictObject({ "application/problem+json": z.object({}) }),
          }),
        }),
      }),
    ),
  ),
  components: z.strictObject({
    securitySchemes: z.strictObject({
      apiKey: z.strictObject({ type: z.literal("apiKey"), in: z.literal("header"), name: z.literal("x-api-key") }),
      bearer: z.strictObject({ type: z.literal("http"), scheme: z.literal("bearer") }),
    }),
  }),
});

const INFO = { title: "Gateway", version: "1.2.3", server: "https://gateway.example.com" };

/** The description as a client reads it: through JSON. */
const described = (routes: readonly Route<never, never>[]) =>
  document.parse(JSON.parse(JSON.stringify(openApiDocument(routes, INFO))));

const route = routesFor<object, object>();

const change = route({
  method: "patch",
  path: "/things/{id}",
  summary: "Change a thing",
  who: { scopes: ["things:write"] },
  in: {
    params: z.object({ id: z.string() }),
    query: z.object({ limit: z.coerce.number().max(10).default(5), reason: z.string() }),
    body: z.object({ name: z.string() }),
  },
  out: z.object({ id: z.string() }),
  handle: () => ({ id: "" }),
});

const read = route({
  method: "get",
  path: "/things/{id}",
  summary: "Read a thing",
  who: "anyone",
  out: z.object({ id: z.string() }),
  handle: () => ({ id: "" }),
});

describe("the OpenAPI description", () => {
  it("names title, version and server", () => {
    const { info, servers } = described([]);
    expect(info).toEqual({ title: "Gateway", version: "1.2.3" });
    expect(servers).toEqual([{ url: "https://gateway.example.com" }]);
  });

  it("has every method of a path beside each other", () => {
    expect(Object.keys(described([change, read]).paths["/things/{id}"] ?? {})).toEqual(["patch", "get"]);
  });

  it("says of each parameter where it is and whether it must be given", () => {
    const operation = described([change]).paths["/things/{id}"]?.patch;
    expect(operation?.parameters.map(({ name, in: place, required }) => [name, place, required])).toEqual([
      ["limit", "query", false],
      ["reason", "query", true],
      ["id", "path", true],
    ]);
    expect(operation?.parameters[0]?.schema).toMatchObject({ default: 5, maximum: 10 });
  });

  it("has the schema of the body only where there is one", () => {
    const { patch, get } = described([change, read]).paths["/things/{id}"] ?? {};
    expect(patch?.requestBody?.content["application/json"].schema).toMatchObject({ required: ["name"] });
    expect(get).not.toHaveProperty("requestBody");
  });

  it("says which credentials a route takes and which scopes it needs", () => {
    const { patch, get } = described([change, read]).paths["/things/{id}"] ?? {};
    expect(patch?.security).toEqual([{ apiKey: [] }, { bearer: ["things:write"] }]);
    expect(get?.security).toEqual([]);
  });
});

describe("the OpenAPI description of the management API", () => {
  const description = described(managementRoutes);

  it("has every route, and no other", () => {
    const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(operations).toEqual(managementRoutes.map(({ method, path }) => `${method} ${path}`));
    expect(new Set(operations).size).toBe(operations.length);
  });

  it.each(managementRoutes)("describes $method $path as it is declared", ({ method, path, who, summary }) => {
    const operation = description.paths[path]?.[method as "get"];
    expect(operation?.summary).toBe(summary);
    expect(operation?.security).toEqual(who === "anyone" ? [] : [{ apiKey: [] }, { bearer: who.scopes }]);
    const inPath = operation?.parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name);
    expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
  });
});
