import { beforeAll, describe, expect, it } from "vitest";
import { PUBLISHER_META } from "../../../src/registry/definition/definition.ts";
import { searchServers } from "../../../src/registry/reading/search.ts";
import { db, request, resetStats, stats } from "../../support/gateway.ts";
import { addServer, namesIn, newRegistry, newWord, read, type ListAnswer } from "../../support/registry.ts";
import { serverResponse } from "../../support/registry-shapes.ts";

const SEARCH = "/api/v1/registry/search";
const meta = (provided: Record<string, unknown>) => ({ _meta: { [PUBLISHER_META]: provided } });
const npm = { registryType: "npm", identifier: "example", version: "1.0.0", transport: { type: "stdio" } };
const image = {
  registryType: "oci",
  identifier: "example/image:1.0.0",
  transport: { type: "streamable-http", url: "http://localhost:8080/" },
};
const sse = { type: "sse", url: "https://mcp.example.com/sse" };

type Found = Pick<ListAnswer, "servers"> & { nextCursor: string | null };

let headers: Record<string, string> = {};

const search = (query: Record<string, string>, sent = headers) =>
  read<Found>(`${SEARCH}?${new URLSearchParams(query).toString()}`, sent);
const found = async (text: string, more: Record<string, string> = {}) =>
  namesIn(await search({ text, ...more })).map((name) => name.split("/")[1]);

beforeAll(async () => {
  const registry = await newRegistry();
  ({ headers } = registry);
  const { tenantId } = registry;
  const add = (server: string, definition: Record<string, unknown>, more = {}) =>
    addServer({ tenantId, name: `com.example/${server}`, versions: [{ definition, ...more }] });
  await add("github", { description: "Repositories, issues and pull requests", packages: [npm] });
  await add("code-review", { description: "Reviews pull requests of GitHub", remotes: [sse] });
  await add("github-actions", { description: "Runs workflows", packages: [image] });
  await add("postgres", { title: "PostgreSQL", description: "Asks databases", packages: [npm] });
  await add("forecast", { title: "Weather forecasts", description: "Tells what the sky will be", remotes: [sse] });
  await add("tickets", {
    description: "Finds what people complain about",
    ...meta({ tags: ["helpdesk"], tools: ["close_ticket", "escalate"] }),
  });
  await add("retired", { description: "Weather of old" }, { status: "deprecated" });
  await add("removed", { description: "Weather that is gone" }, { status: "deleted" });
  await addServer({
    tenantId,
    name: "com.example/inside",
    gatewaySlug: "inside",
    versions: [{ definition: { description: "Notes of an organization", packages: [npm] } }],
  });
  await addServer({
    tenantId,
    name: "com.example/renamed",
    versions: [
      { version: "1.0.0", definition: { description: "Formerly about zeppelins" } },
      { version: "2.0.0", definition: { description: "Now about trains" } },
    ],
  });
});

describe("a search", () => {
  it.each([
    ["github", ["github", "github-actions", "code-review"]],
    ["GitHub", ["github", "github-actions", "code-review"]],
    ["com.example/postgres", ["postgres"]],
    ["weather", ["forecast", "retired"]],
    ["forecasts", ["forecast"]],
    ["review", ["code-review"]],
    ["reviewing requests", ["code-review"]],
    ["helpdesk", ["tickets"]],
    ["escalate", ["tickets"]],
    ["close_ticket", ["tickets"]],
    ["postg", ["postgres"]],
    ["database", ["postgres"]],
  ])("finds %s in this order: %j", async (text, names) => {
    expect((await found(text)).slice(0, names.length)).toEqual(names);
  });

  it.each([
    ["githb", "github"],
    ["gihtub", "github"],
    ["postgers", "postgres"],
    ["postgre sql", "postgres"],
    ["wether", "forecast"],
    ["helpdsk", "tickets"],
  ])("R19: takes %s for what is nearly written like it", async (text, name) => {
    expect((await found(text))[0]).toBe(name);
  });

  it.each(["zeppelins", "qqqqqq", "%", "_", "'", "\\", "&", "!(:*", "a' | 'b", ":*", "<->", "(x+)+$", "💥"])(
    "P08: %s finds nothing, and is no mistake",
    async (text) => {
      expect(await found(text)).toEqual([]);
    },
  );

  it.each<[Record<string, string>, string[]]>([
    [{ transport: "sse" }, ["code-review", "forecast"]],
    [{ transport: "streamable-http" }, ["github-actions", "inside"]],
    [{ transport: "stdio" }, ["github", "postgres"]],
    [{ packageType: "npm" }, ["github", "postgres"]],
    [{ packageType: "oci" }, ["github-actions"]],
    [{ status: "deprecated" }, ["retired"]],
    [{ status: "deleted" }, ["removed"]],
    [{ text: "github", packageType: "npm" }, ["github"]],
    [{ text: "weather", status: "deleted" }, ["removed"]],
    [{ text: "weather", transport: "stdio" }, []],
  ])("narrowed by %j has %j", async (query, names) => {
    expect(namesIn(await search(query)).map((name) => name.split("/")[1])).toEqual(names);
  });

  it("answers entries as the registry API does", async () => {
    const { servers } = await search({ text: "inside" });
    expect(serverResponse.parse(servers[0])).toEqual(servers[0]);
    expect(servers[0]?.server.remotes).toEqual([{ type: "streamable-http", url: "http://localhost:8787/mcp/inside" }]);
  });

  it.each(["", "github requests", "weather"])(
    "goes on over pages for %j without losing or repeating one",
    async (text) => {
      const all = namesIn(await search({ text, limit: "100" }));
      const paged: string[] = [];
      let cursor: string | null = null;
      do {
        const next: Found = await search({ text, limit: "1", ...(cursor !== null && { cursor }) });
        paged.push(...namesIn(next));
        cursor = next.nextCursor;
      } while (cursor !== null && paged.length < 50);
      expect(paged.length).toBeGreaterThan(0);
      expect(all.slice(0, paged.length)).toEqual(paged);
      expect(new Set(paged).size).toBe(paged.length);
    },
  );

  it("is one request to Postgres", async () => {
    await resetStats();
    await search({ text: "githb" });
    const { log } = await stats();
    expect(log.filter(({ what }) => what.some((label) => label.includes("registry_version")))).toHaveLength(1);
  });

  it("O02: finds only what the caller's tenant has, and for everybody only what is public", async () => {
    const word = newWord();
    const [one, two] = await Promise.all([newRegistry(), newRegistry()]);
    await addServer({ tenantId: one.tenantId, name: `com.example/${word}-own` });
    await addServer({ tenantId: one.tenantId, name: `com.example/${word}-open`, isPublic: true });
    expect(namesIn(await search({ text: word }, one.headers)).toSorted()).toEqual([
      `com.example/${word}-open`,
      `com.example/${word}-own`,
    ]);
    expect(namesIn(await search({ text: word }, two.headers))).toEqual([]);
    const open = await searchServers(db, { kind: "public" }, { text: word, limit: 10 });
    expect(open.entries.map(({ name }) => name)).toEqual([`com.example/${word}-open`]);
  });

  it.each([
    "limit=0",
    "limit=101",
    "limit=x",
    "transport=carrier-pigeon",
    "packageType=apt",
    "status=new",
    "cursor=x",
    "cursor=W10",
    `text=${"a".repeat(201)}`,
    "text=%00",
    "offset=5",
    "text=a&text=b",
  ])("P08: refuses %s", async (query) => {
    expect((await request(`${SEARCH}?${query}`, { headers })).status).toBe(400);
  });
});
