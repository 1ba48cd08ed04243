import { describe, expect, it } from "vitest";
import { isHarmless, requiredScopes, wantedOf } from "../../../src/mcp/wanted.ts";
import { exposedName } from "../../../src/upstreams/tool-name.ts";
import { BUILTIN_TOOLS } from "../../../src/upstreams/builtin/tools.ts";

const envelope = (method: string, target: string | null = null) => ({ message: {}, method, id: 1, target });
const LONG = "a".repeat(80);

describe("what a request wants", () => {
  const NOTHING = { server: null, tool: null, beyondTools: false };
  it.each<[string, string | null, string | null, object]>([
    ["initialize", null, null, NOTHING],
    ["initialize", null, "notes", { ...NOTHING, server: "notes" }],
    ["tools/list", null, null, NOTHING],
    ["tools/list", null, "notes", { ...NOTHING, server: "notes" }],
    ["tools/call", null, null, NOTHING],
    ["tools/call", "echo", null, { ...NOTHING, tool: "echo" }],
    ["tools/call", "echo", "notes", { ...NOTHING, server: "notes", tool: "notes__echo" }],
    ["tools/call", "notes__create", null, { ...NOTHING, server: "notes", tool: "notes__create" }],
    ["tools/call", "create", "notes", { ...NOTHING, server: "notes", tool: "notes__create" }],
    ["tools/call", "apps__create", "notes", { ...NOTHING, server: "notes", tool: "notes__apps__create" }],
    ["tools/call", "a__b__c", null, { ...NOTHING, server: "a", tool: "a__b__c" }],
    ["tools/call", "__create", null, { ...NOTHING, tool: "__create" }],
    ["tools/call", "nothing", null, { ...NOTHING, tool: "nothing" }],
    ["tools/call", "", null, { ...NOTHING, tool: "" }],
    ["tools/anything", "echo", null, NOTHING],
    ["prompts/list", null, null, { ...NOTHING, beyondTools: true }],
    ["prompts/get", "echo", null, { ...NOTHING, beyondTools: true }],
    ["prompts/get", "greet", "notes", { ...NOTHING, server: "notes", beyondTools: true }],
    ["resources/read", "file:///a__b", null, { ...NOTHING, beyondTools: true }],
    ["resources/templates/list", null, "notes", { ...NOTHING, server: "notes", beyondTools: true }],
    ["completion/complete", null, "notes", { ...NOTHING, server: "notes", beyondTools: true }],
    ["logging/setLevel", null, "notes", { ...NOTHING, server: "notes" }],
  ])("L14: %s of %j at %j", async (method, target, slug, wanted) => {
    expect(await wantedOf(envelope(method, target), slug, "192.0.2.1")).toMatchObject(wanted);
  });

  it("L14: names a tool alike on both endpoints, also when its name is cut", async () => {
    const shown = await exposedName("notes", LONG);
    const aggregated = await wantedOf(envelope("tools/call", shown), null, null);
    const own = await wantedOf(envelope("tools/call", LONG), "notes", null);
    expect(shown).toHaveLength(64);
    expect(aggregated).toEqual(own);
  });

  it("carries the address and the scopes along", async () => {
    expect(await wantedOf(envelope("resources/list"), null, "192.0.2.1")).toMatchObject({
      address: "192.0.2.1",
      scopes: ["mcp-registry:read"],
    });
    expect((await wantedOf(envelope("ping"), null, null)).address).toBeNull();
  });
});

describe("the scopes that a request needs", () => {
  const needed = (method: string, target: string | null = null, slug: string | null = null) =>
    requiredScopes(envelope(method, target), slug);

  it.each(["tools/list", "tools/call", "prompts/list", "prompts/get", "completion/complete", "tools/anything"])(
    "are mcp:tools for %s",
    (method) => {
      expect(needed(method, "a")).toEqual(["mcp:tools"]);
      expect(needed(method, "a", "notes")).toEqual(["mcp:tools"]);
      expect(needed(method)).toEqual(["mcp:tools"]);
    },
  );

  it.each(["resources/list", "resources/templates/list", "resources/read", "resources/subscribe"])(
    "are for %s those of the registry, whose servers are the resources of /mcp, or mcp:tools for a server's own",
    (method) => {
      expect(needed(method, "a")).toEqual(["mcp-registry:read"]);
      expect(needed(method, "a", "notes")).toEqual(["mcp:tools"]);
    },
  );

  it("are those that a built-in tool states, where it can be called", () => {
    for (const { name, scopes } of BUILTIN_TOOLS) expect(needed("tools/call", name)).toEqual(scopes);
    expect(needed("tools/call", "search_servers", "notes")).toEqual(["mcp:tools"]);
    expect(needed("tools/list", "search_servers")).toEqual(["mcp:tools"]);
    expect(needed("prompts/get", "search_servers")).toEqual(["mcp:tools"]);
  });

  it.each(["initialize", "ping", "server/discover", "notifications/initialized", "logging/setLevel"])(
    "are none for %s, which only negotiates",
    (method) => {
      expect(needed(method)).toEqual([]);
    },
  );
});

describe("M06: what may be answered while neither store can be asked", () => {
  it.each<[string, string | null, string | null, boolean]>([
    ["initialize", null, null, true],
    ["initialize", null, "notes", true],
    ["ping", null, null, true],
    ["server/discover", null, null, true],
    ["notifications/initialized", null, null, true],
    ["tools/call", "echo", null, true],
    ["tools/call", "whoami", null, true],
    ["tools/call", "echo", "notes", false],
    ["tools/call", "notes__create", null, false],
    ["tools/call", "nothing", null, false],
    ["tools/call", null, null, false],
    ["tools/list", null, null, false],
    ["prompts/get", "echo", null, false],
    ["resources/read", "file:///a", "notes", false],
    ["completion/complete", null, null, false],
    ["tools/anything", "echo", null, false],
  ])("M06: %s of %j at %j: %j", (method, target, slug, harmless) => {
    expect(isHarmless(envelope(method, target), slug)).toBe(harmless);
  });
});
