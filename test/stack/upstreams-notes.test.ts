import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { notesFactory } from "../../dev/upstreams/notes.ts";
import { startUpstream, type RunningUpstream } from "../../dev/upstreams/serve.ts";

interface StoredNote {
  id: string;
  title: string;
  text: string;
}

let upstream: RunningUpstream;
beforeAll(async () => {
  upstream = await startUpstream({ name: "notes", factory: notesFactory() });
});
afterAll(() => upstream.stop());

async function connect(user?: string, mode: "auto" | "legacy" = "auto"): Promise<Client> {
  const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode } });
  const headers: Record<string, string> = user === undefined ? {} : { "x-mrg-user": user };
  await client.connect(new StreamableHTTPClientTransport(new URL(upstream.url), { requestInit: { headers } }));
  onTestFinished(() => client.close());
  await client.listTools();
  return client;
}

async function create(client: Client, title: string, text: string): Promise<StoredNote> {
  const result = await client.callTool({ name: "notes_create", arguments: { title, text } });
  return (result.structuredContent as { note: StoredNote }).note;
}

async function listedIds(client: Client): Promise<string[]> {
  const result = await client.callTool({ name: "notes_list" });
  return (result.structuredContent as { notes: StoredNote[] }).notes.map((note) => note.id);
}

describe("The notes upstream", () => {
  it.each(["auto", "legacy"] as const)("creates, lists, reads, updates and deletes notes (%s client)", async (mode) => {
    const client = await connect(crypto.randomUUID(), mode);
    const note = await create(client, "Shopping", "Milk");
    expect(note).toMatchObject({ title: "Shopping", text: "Milk" });

    const listed = await client.callTool({ name: "notes_list" });
    expect(listed.structuredContent).toMatchObject({ notes: [{ id: note.id, title: "Shopping" }] });
    expect(JSON.stringify(listed)).not.toContain("Milk");

    const updated = await client.callTool({ name: "notes_update", arguments: { id: note.id, text: "Milk, eggs" } });
    expect(updated.structuredContent).toMatchObject({ note: { title: "Shopping", text: "Milk, eggs" } });
    const read = await client.callTool({ name: "notes_read", arguments: { id: note.id } });
    expect(read.structuredContent).toEqual(updated.structuredContent);

    const deleted = await client.callTool({ name: "notes_delete", arguments: { id: note.id } });
    expect(deleted.structuredContent).toEqual({ deleted: note.id });
    expect(await listedIds(client)).toEqual([]);
  });

  it("keeps the notes of each caller, and those of callers without a name, apart", async () => {
    const [one, other, unnamed] = [
      await connect(crypto.randomUUID()),
      await connect(crypto.randomUUID()),
      await connect(),
    ];
    const mine = await create(one, "Mine", "private");
    const anonymous = await create(unnamed, "Anonymous", "public");

    expect(await listedIds(one)).toEqual([mine.id]);
    expect(await listedIds(other)).toEqual([]);
    expect(await listedIds(unnamed)).toEqual([anonymous.id]);
    for (const name of ["notes_read", "notes_update", "notes_delete"]) {
      const refused = await other.callTool({ name, arguments: { id: mine.id, text: "taken over" } });
      expect(refused.isError).toBe(true);
    }
    const read = await one.callTool({ name: "notes_read", arguments: { id: mine.id } });
    expect(read.structuredContent).toMatchObject({ note: { text: "private" } });
  });

  it.each(["notes_read", "notes_update", "notes_delete"])("says in %s how to find an id that exists", async (name) => {
    const client = await connect(crypto.randomUUID());
    const result = await client.callTool({ name, arguments: { id: "no-such-note" } });
    expect(result).toMatchObject({
      isError: true,
      content: [{ text: 'You have no note with the id "no-such-note". Call notes_list to see the ids of your notes.' }],
    });
  });

  it("refuses a note without a title", async () => {
    const client = await connect(crypto.randomUUID());
    const result = await client.callTool({ name: "notes_create", arguments: { title: "", text: "Milk" } });
    expect(result.isError).toBe(true);
    expect(await listedIds(client)).toEqual([]);
  });

  it("annotates which tools read, destroy and may be repeated", async () => {
    const { tools } = await (await connect()).listTools();
    expect(Object.fromEntries(tools.map((tool) => [tool.name, tool.annotations]))).toMatchObject({
      notes_create: { readOnlyHint: false, destructiveHint: false, idempotentHint: false },
      notes_list: { readOnlyHint: true },
      notes_read: { readOnlyHint: true },
      notes_update: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
      notes_delete: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
    });
    expect(tools.filter((tool) => tool.outputSchema === undefined)).toEqual([]);
  });
});
