import { describe, expect, it } from "vitest";
import {
  builtinToolNamed,
  listTools,
  resolveTool,
  upstreamBySlug,
  type CatalogDeps,
} from "../../../src/upstreams/catalog.ts";
import { exposedName } from "../../../src/upstreams/tool-name.ts";
import { CALLER, fakeUpstreams, tool, upstream } from "./fake-upstreams.ts";
import { BUILTIN_TOOLS } from "../../../src/upstreams/builtin/tools.ts";

const BUILTIN = BUILTIN_TOOLS.map(({ name }) => name);
const LONG = "a_tool_with_a_name_that_is_much_longer_than_what_clients_take";

async function namesOf(deps: CatalogDeps, tenantId = "tenant-1") {
  const { tools, unavailable } = await listTools(deps, tenantId, CALLER);
  return { names: tools.map(({ name }) => name), unavailable };
}

describe("the list of tools", () => {
  it("has the built-in ones even when the tenant has no servers", async () => {
    expect(await namesOf(fakeUpstreams({}).deps)).toEqual({ names: BUILTIN, unavailable: [] });
  });

  it("has those of every server, prefixed and otherwise as they came, sorted by name", async () => {
    const detailed = { ...tool("b"), description: "Words", annotations: { readOnlyHint: true } };
    const { deps } = fakeUpstreams({
      zoo: () => ({ tools: [tool("a")] }),
      apps: () => ({ tools: [detailed, tool("a")] }),
    });
    const { tools } = await listTools(deps, "tenant-1", CALLER);
    expect(tools.map(({ name }) => name)).toEqual(["apps__a", "apps__b", ...BUILTIN, "zoo__a"].toSorted());
    expect(tools[1]).toEqual({ ...detailed, name: "apps__b" });
  });

  it("reads the same whichever server answers first", async () => {
    const gate = Promise.withResolvers<void>();
    const { deps } = fakeUpstreams({
      apps: async () => {
        await gate.promise;
        return { tools: [tool("a")] };
      },
      zoo: () => {
        gate.resolve();
        return { tools: [tool("a")] };
      },
    });
    expect((await namesOf(deps)).names).toEqual(["apps__a", ...BUILTIN, "zoo__a"]);
  });

  it("is of the tenant that asks, and of no other", async () => {
    const { deps, used } = fakeUpstreams({ apps: () => ({ tools: [tool("a")] }) });
    expect(await namesOf(deps, "tenant-2")).toEqual({ names: BUILTIN, unavailable: [] });
    expect(used.tenants).toEqual(["tenant-2"]);
    expect(used.connected).toEqual([]);
  });

  it("asks the servers in the name of the caller", async () => {
    const { deps, used } = fakeUpstreams({ apps: () => ({ tools: [] }) });
    await namesOf(deps);
    expect(used.connected).toEqual([{ slug: "apps", caller: CALLER }]);
    expect(used.requests).toEqual([{ slug: "apps", method: "tools/list", params: {} }]);
  });

  it("names the servers that do not answer, which hide no other", async () => {
    const { deps, used } = fakeUpstreams({
      zoo: () => Promise.reject(new Error("down")),
      apps: () => ({ tools: [tool("a")] }),
      dead: () => Promise.reject(new Error("down")),
    });
    expect(await namesOf(deps)).toEqual({ names: ["apps__a", ...BUILTIN], unavailable: ["dead", "zoo"] });
    expect(used.open).toBe(0);
  });

  it("names a server that cannot be connected to", async () => {
    const { deps } = fakeUpstreams({ apps: () => ({ tools: [tool("a")] }), dead: () => ({ tools: [] }) });
    const connect: CatalogDeps["connect"] = async (server, caller) =>
      server.slug === "dead" ? Promise.reject(new Error("refused")) : deps.connect(server, caller);
    expect(await namesOf({ ...deps, connect })).toEqual({ names: ["apps__a", ...BUILTIN], unavailable: ["dead"] });
  });

  it("leaves out a server whose pages fail after the first", async () => {
    const { deps, used } = fakeUpstreams({
      apps: (cursor) =>
        cursor === undefined ? { tools: [tool("a")], nextCursor: "2" } : Promise.reject(new Error("down")),
    });
    expect(await namesOf(deps)).toEqual({ names: BUILTIN, unavailable: ["apps"] });
    expect(used.open).toBe(0);
  });

  it("reads all pages of a server over one connection", async () => {
    const { deps, used } = fakeUpstreams({
      apps: (cursor = "0") => ({
        tools: [tool(`t${cursor}`)],
        ...(cursor === "2" ? {} : { nextCursor: String(Number(cursor) + 1) }),
      }),
    });
    expect((await namesOf(deps)).names).toEqual(["apps__t0", "apps__t1", "apps__t2", ...BUILTIN]);
    expect(used.requests.map(({ params }) => params)).toEqual([{}, { cursor: "1" }, { cursor: "2" }]);
    expect(used.connected).toHaveLength(1);
  });

  it("R03: ends after 20 pages of a server that never comes to its end", async () => {
    const { deps, used } = fakeUpstreams({ apps: () => ({ tools: [], nextCursor: "again" }) });
    await namesOf(deps);
    expect(used.requests).toHaveLength(20);
  });

  it("R03: has at most six servers open at once, and closes each", async () => {
    const slugs = Array.from({ length: 40 }, (_, i) => `s${i}`);
    const { deps, used } = fakeUpstreams(
      Object.fromEntries(
        slugs.map((slug, i) => [
          slug,
          () => (i % 3 === 0 ? Promise.reject(new Error("down")) : { tools: [tool("a")] }),
        ]),
      ),
    );
    const { names, unavailable } = await namesOf(deps);
    expect(used.connected.map(({ slug }) => slug).toSorted((a, b) => a.localeCompare(b))).toEqual(
      slugs.toSorted((a, b) => a.localeCompare(b)),
    );
    expect(names).toHaveLength(BUILTIN.length + 26);
    expect(unavailable).toHaveLength(14);
    expect(used.mostOpen).toBe(6);
    expect(used.open).toBe(0);
  });

  it.each([{}, { tools: null }, { tools: "all" }, { tools: { length: 1 } }])(
    "takes an answer without a list for an empty one: %j",
    async (answer) => {
      const { deps } = fakeUpstreams({ apps: () => answer as never });
      expect((await namesOf(deps)).names).toEqual(BUILTIN);
    },
  );

  it("shortens long names", async () => {
    const { deps } = fakeUpstreams({ apps: () => ({ tools: [tool(LONG)] }) });
    const { names } = await namesOf(deps);
    expect(names[0]).toBe(await exposedName("apps", LONG));
    expect(names[0]).toHaveLength(64);
  });
});

describe("a tool name on the aggregated endpoint", () => {
  const { deps, used } = fakeUpstreams({ apps: () => ({ tools: [tool("other"), tool(LONG), tool("x".repeat(58))] }) });
  const resolve = (name: string, tenantId = "tenant-1") => resolveTool(deps, tenantId, name, CALLER);

  it.each(BUILTIN)("that is built in needs no request: %s", async (name) => {
    const before = used.tenants.length;
    expect(await resolve(name)).toEqual({ kind: "builtin", tool: builtinToolNamed(name) });
    expect(used.tenants).toHaveLength(before);
  });

  it("that fits is resolved without asking the server", async () => {
    const before = used.connected.length;
    expect(await resolve("apps__whatever__it_is")).toEqual({
      kind: "upstream",
      upstream: upstream("apps"),
      tool: "whatever__it_is",
    });
    expect(used.connected).toHaveLength(before);
  });

  it("that was shortened is resolved to the name that the server knows", async () => {
    expect(await resolve(await exposedName("apps", LONG))).toEqual({
      kind: "upstream",
      upstream: upstream("apps"),
      tool: LONG,
    });
    expect(used.open).toBe(0);
  });

  it("that has 64 characters without being shortened is resolved as it is", async () => {
    const name = `apps__${"x".repeat(58)}`;
    expect(name).toHaveLength(64);
    expect(await resolve(name)).toMatchObject({ tool: "x".repeat(58) });
  });

  it("that looks shortened but is no tool's is none", async () => {
    expect(await resolve(`apps__${"y".repeat(49)}_abcdefgh`)).toBeNull();
    expect(used.open).toBe(0);
  });

  it.each(["", "unknown", "Echo", "echo ", "__echo", "notes__create", "APPS__a", "apps_a", "constructor", "__proto__"])(
    "that nobody has is none: %j",
    async (name) => {
      expect(await resolve(name)).toBeNull();
    },
  );

  it("L14: of another tenant's server is as unknown as one that nobody has", async () => {
    expect(await resolve("apps__other", "tenant-2")).toBeNull();
    expect(await resolve(await exposedName("apps", LONG), "tenant-2")).toBeNull();
  });

  it("whose server does not answer fails, because nobody knows what it stands for", async () => {
    const down = fakeUpstreams({ apps: () => Promise.reject(new Error("down")) });
    await expect(resolveTool(down.deps, "tenant-1", await exposedName("apps", LONG), CALLER)).rejects.toThrow("down");
    expect(down.used.open).toBe(0);
  });
});

describe("a slug", () => {
  const { deps } = fakeUpstreams({ apps: () => ({ tools: [] }), "apps-2": () => ({ tools: [] }) });

  it("L14: is looked up in the caller's tenant only", async () => {
    expect(await upstreamBySlug(deps, "tenant-1", "apps")).toEqual(upstream("apps"));
    expect(await upstreamBySlug(deps, "tenant-2", "apps")).toBeUndefined();
  });

  it("is compared as a whole", async () => {
    expect(await upstreamBySlug(deps, "tenant-1", "app")).toBeUndefined();
    expect(await upstreamBySlug(deps, "tenant-1", "Apps")).toBeUndefined();
  });
});
