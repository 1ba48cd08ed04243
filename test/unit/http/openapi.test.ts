import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { jsonRoutes } from "../../../src/app.ts";
import { openApiOf } from "../../../src/http/openapi.ts";
import { routesFor, type Declaration } from "../../../src/http/route.ts";

const INFO = { version: "1.2.3", server: "https://gateway.example.com" };

const schema = z.record(z.string(), z.unknown());
const parameter = z.strictObject({
  name: z.string(),
  in: z.enum(["query", "path", "header"]),
  required: z.boolean(),
  description: z.string().optional(),
  schema,
});
const answer = z.strictObject({
  description: z.string().min(1),
  headers: schema.optional(),
  content: z.strictObject({ "application/json": z.strictObject({ schema }) }).optional(),
});
const reference = z.strictObject({ $ref: z.string() });
const operation = z.strictObject({
  operationId: z.string().regex(/^[a-z][A-Za-z0-9]+$/),
  tags: z.tuple([z.string()]),
  summary: z.string().min(1),
  description: z.string().optional(),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  parameters: z.array(parameter),
  requestBody: z
    .strictObject({
      required: z.literal(true),
      content: z.strictObject({ "application/json": z.strictObject({ schema }) }),
    })
    .optional(),
  responses: z.record(z.string().regex(/^\d{3}$/), z.union([reference, answer])),
});

/** The part of OpenAPI 3.1 that a description of ours uses; unknown members are faults. */
const document = z.strictObject({
  openapi: z.literal("3.1.0"),
  info: z.strictObject({
    title: z.string(),
    version: z.literal("1.2.3"),
    description: z.string(),
    license: z.strictObject({ name: z.string(), identifier: z.string() }),
  }),
  servers: z.tuple([z.strictObject({ url: z.literal(INFO.server), description: z.string() })]),
  tags: z.array(z.strictObject({ name: z.string(), description: z.string() })),
  paths: z.record(z.string().startsWith("/"), z.record(z.string(), operation)),
  components: z.strictObject({ schemas: z.record(z.string(), schema), responses: schema, securitySchemes: schema }),
});

/** The description as a client reads it: through JSON. */
const textOf = (routes: readonly Declaration[]) => JSON.stringify(openApiOf(routes, INFO)());
const described = (routes: readonly Declaration[]) => document.parse(JSON.parse(textOf(routes)));

const route = routesFor<object, { principal: object; reader: object; publisher: object }>();

const change = route({
  method: "patch",
  path: "/things/{id}",
  id: "changeThing",
  tag: "Servers",
  summary: "Change a thing",
  who: { scopes: ["keys:write"] },
  in: {
    params: z.object({ id: z.string().describe("Which.") }),
    query: z.object({ limit: z.coerce.number().max(10).default(5), reason: z.string() }),
    headers: z.object({ "idempotency-key": z.string().optional() }),
    body: z.object({ name: z.string() }),
  },
  out: z.object({ id: z.string() }).meta({ id: "TestThing" }),
  status: 201,
  others: { 202: { schema: null, description: "Under way" } },
  refusals: ["not_found", "conflict"],
  handle: () => ({ id: "" }),
});

const read = route({
  method: "get",
  path: "/things/{id}",
  id: "getThing",
  tag: "Registry",
  summary: "Read a thing",
  who: "anyone",
  out: z.object({ id: z.string() }),
  handle: () => ({ id: "" }),
});

const operationOf = (declared: Declaration) => described([declared]).paths["/things/{id}"]?.[declared.method];

describe("the OpenAPI description", () => {
  it("has every method of a path beside each other, and the tags that are used", () => {
    const { paths, tags } = described([change, read]);
    expect(Object.keys(paths["/things/{id}"] ?? {})).toEqual(["patch", "get"]);
    expect(tags.map(({ name }) => name)).toEqual(["Servers", "Registry"]);
  });

  it("says of each parameter where it is, what it is and whether it must be given", () => {
    const parameters = operationOf(change)?.parameters ?? [];
    expect(parameters.map((each) => [each.name, each.in, each.required, each.description])).toEqual([
      ["id", "path", true, "Which."],
      ["limit", "query", false, undefined],
      ["reason", "query", true, undefined],
      ["idempotency-key", "header", false, undefined],
    ]);
    expect(parameters[1]?.schema).toMatchObject({ default: 5, maximum: 10 });
  });

  it("has the schema of the body only where there is one", () => {
    expect(operationOf(change)?.requestBody?.content["application/json"].schema).toMatchObject({ required: ["name"] });
    expect(operationOf(read)).not.toHaveProperty("requestBody");
  });

  it("says which statuses come, with the codes of each", () => {
    const { paths, components } = described([change, read]);
    const { patch, get } = paths["/things/{id}"] ?? {};
    expect(Object.keys(patch?.responses ?? {})).toEqual([
      "201",
      "202",
      "400",
      "401",
      "403",
      "404",
      "409",
      "413",
      "415",
      "429",
      "500",
      "503",
    ]);
    expect(patch?.responses["401"]).toEqual({ $ref: "#/components/responses/unauthenticated.invalid_credential" });
    expect(patch?.responses["202"]).toEqual({ description: "Under way" });
    expect(Object.keys(get?.responses ?? {})).toEqual(["200", "500", "503"]);
    expect(components.responses).toHaveProperty(["unauthenticated.invalid_credential", "headers", "WWW-Authenticate"]);
  });

  it("refers to named schemas, each once, and allows further members of answers", () => {
    const { components } = described([change, read]);
    expect(Object.keys(components.schemas)).toEqual(["TestThing", "Problem", "RegistryProblem"]);
    expect(components.schemas["TestThing"]).toEqual({
      type: "object",
      properties: { id: { type: "string" } },
      required: ["id"],
    });
  });

  it("does not let two schemas have one name", () => {
    const other: Declaration = {
      ...read,
      answers: new Map([[200, { schema: z.object({ id: z.number() }).meta({ id: "TestThing" }), description: "OK" }]]),
    };
    expect(() => described([change, other])).toThrow("two schemas have the id TestThing");
  });

  it.each<[Declaration["who"], object[]]>([
    ["anyone", []],
    ["view", []],
    ["administrator", [{ apiKey: [] }, { bearer: ["admin"] }]],
    [{ scopes: ["keys:write"] }, [{ apiKey: [] }, { bearer: ["keys:write"] }]],
    [{ optional: ["mcp-registry:read"] }, [{}, { apiKey: [] }, { bearer: ["mcp-registry:read"] }]],
    [
      { publisher: ["mcp-registry:write"] },
      [{ publisherToken: [] }, { apiKey: [] }, { bearer: ["mcp-registry:write"] }],
    ],
  ])("says which credentials a route takes and which scopes it needs: %j", (who, security) => {
    expect(operationOf({ ...read, who })?.security).toEqual(security);
  });
});

describe("the OpenAPI description of the gateway", () => {
  const text = textOf(jsonRoutes);
  const description = document.parse(JSON.parse(text));
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described_]) => ({ path, method, ...described_ })),
  );

  it("has every route, and no other", () => {
    const declared = jsonRoutes.map(({ method, path }) => `${method} ${path}`);
    const described_ = operations.map(({ method, path }) => `${method} ${path}`);
    expect(described_.toSorted((a, b) => a.localeCompare(b))).toEqual(declared.toSorted((a, b) => a.localeCompare(b)));
    expect(new Set(described_).size).toBe(described_.length);
  });

  it("has one id for each operation", () => {
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  });

  it.each(operations)(
    "says of $method $path what each parameter is, and all that its path has",
    ({ path, parameters }) => {
      expect(parameters.filter((each) => each.description === undefined).map(({ name }) => name)).toEqual([]);
      const inPath = parameters.filter((each) => each.in === "path").map(({ name }) => name);
      expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    },
  );

  it("refers only to what is there", () => {
    const names = [...text.matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g)];
    expect(names.length).toBeGreaterThan(100);
    for (const [, kind = "", name = ""] of names) expect(description.components).toHaveProperty([kind, name]);
    expect(text).not.toContain("$defs");
  });

  it("says what every property is", () => {
    expect(undescribed({ ...description.components.schemas, operations })).toEqual([]);
  });

  const folder = mkdtempSync(join(tmpdir(), "openapi-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("is what Redocly's recommended rules ask for", { timeout: 120_000 }, () => {
    const file = join(folder, "openapi.json");
    writeFileSync(file, text);
    const cli = resolve(import.meta.dirname, "../../../node_modules/@redocly/cli/bin/cli.js");
    // Routes without input refuse nothing, and the host of this test is an example.
    const skipped = ["operation-4xx-response", "no-server-example.com"].flatMap((rule) => ["--skip-rule", rule]);
    const env = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
    const found = execFileSync(process.execPath, [cli, "lint", file, "--format", "json", ...skipped], {
      encoding: "utf8",
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    expect(JSON.parse(found)).toMatchObject({ totals: { errors: 0, warnings: 0 }, problems: [] });
  });
});

/** Properties without a description, by their place; what is referred to may say it. */
function undescribed(value: unknown, place = ""): string[] {
  if (typeof value !== "object" || value === null) return [];
  const here = Object.entries(value).flatMap(([key, member]: [string, unknown]) =>
    undescribed(member, `${place}/${key}`),
  );
  if (!("properties" in value) || typeof value.properties !== "object" || value.properties === null) return here;
  const silent = Object.entries(value.properties).filter(
    ([, member]: [string, unknown]) =>
      typeof member !== "object" || member === null || !("description" in member || "$ref" in member),
  );
  return [...here, ...silent.map(([key]) => `${place}: ${key}`)];
}
