import { describe, expect, it } from "vitest";
import { callTool, newKey, newUser, request, rpc } from "../../support/gateway.ts";
import { backgroundSettled } from "../../support/worker.ts";

interface Entry {
  event: string;
  outcome: string;
  code: string | null;
  target: string | null;
  credentialKind: string;
  credentialId: string;
  userAgent: string;
  durationMs: number | null;
}

async function entriesOf(key: string, count: number): Promise<Entry[]> {
  await backgroundSettled();
  const answer = await request("/api/v1/audit", { headers: { "x-api-key": key } });
  const { entries } = await answer.json<{ entries: Entry[] }>();
  expect(entries.length).toBeGreaterThanOrEqual(count);
  return entries;
}

describe("audit", () => {
  it("R11: keeps one row for each call, with who, what, with which credential and what came of it", async () => {
    const { key, id } = await newKey();
    await callTool("echo", { text: "secret argument" }, { key, headers: { "user-agent": "test/1" } });
    await callTool("echo", {}, { key });
    await callTool("no_such_tool", {}, { key });
    const entries = await entriesOf(key, 3);
    expect(entries.map(({ target, outcome, code }) => ({ target, outcome, code }))).toEqual([
      { target: "no_such_tool", outcome: "error", code: "unknown_tool" },
      { target: "echo", outcome: "error", code: "tool_error" },
      { target: "echo", outcome: "ok", code: null },
    ]);
    expect(entries[2]).toMatchObject({
      event: "mcp.tools/call",
      credentialKind: "api_key",
      credentialId: id,
      userAgent: "test/1",
    });
    expect(JSON.stringify(entries)).not.toContain("secret argument");
    expect(JSON.stringify(entries)).not.toContain(key);
  });

  it("R11: keeps refusals of known callers", async () => {
    const { userId } = await newKey();
    const weak = await newKey({ userId, scopes: ["audit:read"] });
    await callTool("echo", { text: "x" }, { key: weak.key });
    const [entry] = await entriesOf(weak.key, 1);
    expect(entry).toMatchObject({
      event: "mcp.refused",
      outcome: "refused",
      code: "insufficient_scope",
      target: "echo",
    });
  });

  it("N04: keeps hostile names as plain text on one line", async () => {
    const { key } = await newKey();
    await callTool("evil\r\nname\u001b[31m\u202e", {}, { key });
    const [entry] = await entriesOf(key, 1);
    expect(entry?.target).toBe("evil\ufffd\ufffdname\ufffd[31m\ufffd");
  });

  it("records a request that the protocol layer rejects before any tool runs", async () => {
    const { key } = await newKey();
    await rpc("tools/call", { name: 7 }, { key });
    const [entry] = await entriesOf(key, 1);
    expect(entry).toMatchObject({ event: "mcp.tools/call", outcome: "error" });
  });

  it("N06: shows a tenant its own rows only, in pages", async () => {
    const mine = await newKey();
    const other = await newKey({ userId: (await newUser()).id });
    for (const text of ["1", "2", "3"]) await callTool("echo", { text }, { key: mine.key });
    await entriesOf(mine.key, 3);
    const nothing = await request("/api/v1/audit", { headers: { "x-api-key": other.key } });
    expect(await nothing.json()).toEqual({ entries: [], nextCursor: null });
    const page = await request("/api/v1/audit?limit=2", { headers: { "x-api-key": mine.key } });
    const first = await page.json<{ entries: Entry[]; nextCursor: string }>();
    expect(first.entries).toHaveLength(2);
    const second = await request(`/api/v1/audit?limit=2&cursor=${first.nextCursor}`, {
      headers: { "x-api-key": mine.key },
    });
    expect(await second.json()).toMatchObject({ entries: [{ target: "echo" }], nextCursor: null });
  });
});
