import { drizzle } from "drizzle-orm/pg-proxy";
import { describe, expect, it } from "vitest";
import { ALL_SCOPES } from "../../../../src/identity/scopes.ts";
import { echo } from "../../../../src/upstreams/builtin/echo.ts";
import { searchServers } from "../../../../src/upstreams/builtin/search-servers.ts";
import type { BuiltinTool, ToolContext } from "../../../../src/upstreams/builtin/tool.ts";
import { whoami } from "../../../../src/upstreams/builtin/whoami.ts";
import { BUILTIN_TOOLS } from "../../../../src/upstreams/builtin/tools.ts";

/** A caller and a database that answers every statement with the same rows, and keeps the statements. */
function context(...rows: string[][]) {
  const statements: { sql: string; params: unknown[] }[] = [];
  const db = drizzle(async (sql, params) => {
    statements.push({ sql, params });
    return { rows };
  });
  const made: ToolContext = {
    caller: {
      userId: "user-1",
      tenantId: "personal-user-1",
      scopes: ["mcp:tools", "admin"],
      credential: { kind: "api_key", name: "laptop" },
      clientId: null,
    },
    db,
    registry: {
      search: async () => [],
      list: async () => ({ servers: [], nextCursor: null }),
      find: async () => null,
    },
  };
  return { made, statements };
}

const text = (result: Awaited<ReturnType<BuiltinTool["call"]>>) =>
  result.content.map((part) => (part.type === "text" ? part.text : "")).join("");

describe.each(BUILTIN_TOOLS)("the built-in tool $name", (tool) => {
  it("describes itself to people and models", () => {
    const { name, title, description, inputSchema, outputSchema, annotations } = tool.definition();
    expect(name).toBe(tool.name);
    expect(name).toMatch(/^[a-z_]{1,32}$/);
    expect(name).not.toContain("__");
    expect(title).toBeTruthy();
    expect(description).toMatch(/\.$/);
    expect(inputSchema.type).toBe("object");
    expect(outputSchema?.type).toBe("object");
    expect(annotations).toEqual({ readOnlyHint: true, idempotentHint: true, openWorldHint: false });
  });

  it("needs scopes that exist", () => {
    expect(tool.scopes.length).toBeGreaterThan(0);
    expect(ALL_SCOPES).toEqual(expect.arrayContaining([...tool.scopes]));
  });
});

describe("arguments that do not fit", () => {
  it.each([
    [echo, {}, "text"],
    [echo, undefined, "text"],
    [echo, null, "text"],
    [echo, { text: 7 }, "text"],
    [echo, { text: "x".repeat(10_001) }, "text"],
    [echo, "text", "The arguments must be an object"],
    [echo, ["text"], "The arguments must be an object"],
    [searchServers, { query: "x".repeat(201) }, "query"],
    [searchServers, { query: null }, "query"],
  ])("are a result of $0.name that says where, for a model to correct: %#", async (tool, args, place) => {
    const { made, statements } = context();
    const result = await tool.call(args, made);
    expect(result.isError).toBe(true);
    expect(text(result)).toMatch(new RegExp(`^Invalid arguments for ${tool.name}\\. .*\\.$`));
    expect(text(result)).toContain(place);
    expect(result).not.toHaveProperty("structuredContent");
    expect(statements).toEqual([]);
  });
});

describe("R22: echo", () => {
  it.each(["", "hello", "{}", "\u0000\u202e", "x".repeat(10_000)])(
    "R22: returns the text it is given",
    async (given) => {
      const result = await echo.call({ text: given, more: 1 }, context().made);
      expect(result.structuredContent).toEqual({ text: given });
      expect(JSON.parse(text(result))).toEqual({ text: given });
      expect(result.isError).toBeUndefined();
    },
  );
});

describe("R22: whoami", () => {
  it("R22: returns who the gateway takes the caller for, with or without arguments", async () => {
    const seen = {
      userId: "user-1",
      tenantId: "personal-user-1",
      scopes: ["mcp:tools", "admin"],
      credential: "api_key",
      credentialName: "laptop",
      clientId: null,
    };
    for (const args of [undefined, {}, { userId: "user-2" }]) {
      const result = await whoami.call(args, context().made);
      expect(result.structuredContent).toEqual(seen);
      expect(JSON.parse(text(result))).toEqual(seen);
    }
  });
});

describe("the schemas of built-in tools", () => {
  it.each(BUILTIN_TOOLS)(
    "name no dialect and no list of types, which older SDKs cannot compile: $name",
    ({ definition }) => {
      const { inputSchema, outputSchema } = definition();
      for (const schema of [inputSchema, outputSchema]) {
        expect(schema).not.toHaveProperty("$schema");
        expect(JSON.stringify(schema)).not.toContain('"type":[');
      }
    },
  );
});

describe("search_servers", () => {
  const ROW = ["id-notes", "notes", "Notes", "Takes notes", "https://notes.example.com/mcp"];

  it("returns servers with the prefix of their tools, and not their addresses", async () => {
    const result = await searchServers.call({ query: "note" }, context(ROW).made);
    expect(result.structuredContent).toEqual({
      servers: [{ slug: "notes", name: "Notes", description: "Takes notes", toolPrefix: "notes__" }],
      registry: [],
    });
    expect(text(result)).not.toContain("notes.example.com");
  });

  it("can be called by everybody who sees it", () => {
    expect(searchServers.scopes).toEqual(["mcp:tools"]);
  });

  it("looks in the tenant of the caller, among enabled servers, for at most 50", async () => {
    const { made, statements } = context();
    await searchServers.call({ query: "note", tenantId: "other" }, made);
    expect(statements).toHaveLength(1);
    expect(statements[0]?.params).toEqual(["personal-user-1", true, "%note%", "%note%", "%note%", 50]);
    expect(statements[0]?.sql).toMatch(/"tenant_id" = \$1 and .*"enabled" = \$2 and \(.* or .* or .*\)/);
  });

  it("takes no text for all of them", async () => {
    const { made, statements } = context();
    await searchServers.call(undefined, made);
    expect(statements[0]?.params).toContain("%%");
  });

  it.each([
    ["100%", "%100\\%%"],
    ["a_b", "%a\\_b%"],
    ["a\\b", "%a\\\\b%"],
    ["'; drop table x; --", "%'; drop table x; --%"],
  ])("P08: looks for %j as it is written", async (query, pattern) => {
    const { made, statements } = context();
    await searchServers.call({ query }, made);
    expect(statements[0]?.params.slice(2, 5)).toEqual([pattern, pattern, pattern]);
    expect(statements[0]?.sql).not.toContain(query);
  });
});
