import { drizzle } from "drizzle-orm/pg-proxy";
import { describe, expect, it } from "vitest";
import { listUpstreams, searchUpstreams, upstreamDirectory } from "../../../src/upstreams/servers.ts";

const ROW = ["id-notes", "notes", "Notes", "Takes notes", "https://notes.example.com/mcp"];
const NOTES = {
  id: "id-notes",
  slug: "notes",
  name: "Notes",
  description: "Takes notes",
  url: "https://notes.example.com/mcp",
};

/** A database that answers with rows, keeps its statements, and can be told to fail; with a clock. */
function fake() {
  const state = { rows: [ROW], statements: [] as { sql: string; params: unknown[] }[], now: 1_000_000, down: false };
  const db = drizzle(async (sql, params) => {
    state.statements.push({ sql, params });
    if (state.down) throw new Error("the database does not answer");
    return { rows: state.rows };
  });
  return { db, state, directory: upstreamDirectory(db, () => state.now) };
}

describe("the directory of upstream servers", () => {
  it("L14: holds the enabled ones of the tenant, by slug", async () => {
    const { directory, state } = fake();
    expect(await directory.enabled("tenant-1")).toEqual([NOTES]);
    expect(state.statements).toHaveLength(1);
    expect(state.statements[0]?.params).toEqual(["tenant-1", true]);
    expect(state.statements[0]?.sql).toMatch(/"tenant_id" = \$1 and .*"enabled" = \$2\) order by .*"slug" asc$/);
  });

  it("asks for a tenant once in five seconds", async () => {
    const { directory, state } = fake();
    await directory.enabled("tenant-1");
    state.rows = [];
    state.now += 4_999;
    expect(await directory.enabled("tenant-1")).toEqual([NOTES]);
    state.now += 1;
    expect(await directory.enabled("tenant-1")).toEqual([]);
    expect(state.statements).toHaveLength(2);
  });

  it("remembers that a tenant has none", async () => {
    const { directory, state } = fake();
    state.rows = [];
    await directory.enabled("tenant-1");
    await directory.enabled("tenant-1");
    expect(state.statements).toHaveLength(1);
  });

  it("L14: keeps tenants apart", async () => {
    const { directory, state } = fake();
    await directory.enabled("tenant-1");
    state.rows = [];
    expect(await directory.enabled("tenant-2")).toEqual([]);
    expect(await directory.enabled("tenant-1")).toEqual([NOTES]);
    expect(state.statements.map(({ params }) => params[0])).toEqual(["tenant-1", "tenant-2"]);
  });

  it("remembers no failure", async () => {
    const { directory, state } = fake();
    state.down = true;
    await expect(directory.enabled("tenant-1")).rejects.toThrow("Failed query");
    state.down = false;
    expect(await directory.enabled("tenant-1")).toEqual([NOTES]);
  });

  it("does not grow without bound", async () => {
    const { directory, state } = fake();
    for (let i = 0; i <= 500; i++) await directory.enabled(`tenant-${i}`);
    await directory.enabled("tenant-500");
    expect(state.statements).toHaveLength(501);
    await directory.enabled("tenant-0");
    expect(state.statements).toHaveLength(502);
  });
});

describe("the lists of upstream servers", () => {
  it("N06: for its own page has disabled ones too, and no addresses", async () => {
    const { db, state } = fake();
    state.rows = [["notes", "Notes", "Takes notes", "false"]];
    await listUpstreams(db, "tenant-1");
    expect(state.statements[0]?.params).toEqual(["tenant-1"]);
    expect(state.statements[0]?.sql).not.toContain('"url"');
  });

  it("for a search is bounded and of one tenant", async () => {
    const { db, state } = fake();
    expect(await searchUpstreams(db, { tenantId: "tenant-1", text: "note", limit: 3 })).toEqual([NOTES]);
    expect(state.statements[0]?.params).toEqual(["tenant-1", true, "%note%", "%note%", "%note%", 3]);
  });
});
