import { McpServer, type ServerContext } from "@modelcontextprotocol/server";
import * as z from "zod";
import { createNoteStores, type NoteStore } from "./note-store.ts";
import type { UpstreamFactory } from "./serve.ts";
import { failure, structured } from "./tool-results.ts";

const id = z.string().describe("The note's id, as notes_create and notes_list return it");
const title = z.string().min(1).max(200);
const text = z.string().max(10_000);
const noteSchema = z.object({
  id: z.string(),
  title: z.string(),
  text: z.string(),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});

/**
 * Servers that keep notes for each caller, in memory as long as the process lives: create, list, read, update, delete.
 * The caller is the opaque user id in the header `x-mrg-user`; without it the notes are those of "anonymous". The
 * header is trusted, as only a gateway should be able to reach this server.
 */
export function notesFactory(): UpstreamFactory {
  const storeOf = createNoteStores();
  return () => createNotes(storeOf);
}

function createNotes(storeOf: (caller: string) => NoteStore): McpServer {
  const server = new McpServer(
    { name: "notes", title: "Notes", version: "1.0.0" },
    { instructions: "Keeps short notes for each user. Call notes_list to find the id of a note." },
  );
  const notesOf = (ctx: ServerContext): NoteStore => storeOf(ctx.http?.req?.headers.get("x-mrg-user") ?? "anonymous");

  server.registerTool(
    "notes_create",
    {
      title: "Create a note",
      description: "Stores a new note and returns it with its id.",
      inputSchema: z.object({ title, text }),
      outputSchema: z.object({ note: noteSchema }),
      annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
    },
    (input, ctx) => structured({ note: notesOf(ctx).create(input.title, input.text) }),
  );

  server.registerTool(
    "notes_list",
    {
      title: "List notes",
      description: "Lists your notes without their text, oldest first.",
      outputSchema: z.object({ notes: z.array(noteSchema.omit({ text: true })) }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (ctx) =>
      structured({
        notes: notesOf(ctx)
          .list()
          .map(({ text: _text, ...summary }) => summary),
      }),
  );

  server.registerTool(
    "notes_read",
    {
      title: "Read a note",
      description: "Returns one of your notes with its text.",
      inputSchema: z.object({ id }),
      outputSchema: z.object({ note: noteSchema }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    (input, ctx) => {
      const note = notesOf(ctx).read(input.id);
      return note === undefined ? unknownNote(input.id) : structured({ note });
    },
  );

  server.registerTool(
    "notes_update",
    {
      title: "Update a note",
      description: "Replaces the title, the text or both of one of your notes.",
      inputSchema: z.object({ id, title: title.optional(), text: text.optional() }),
      outputSchema: z.object({ note: noteSchema }),
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    },
    (input, ctx) => {
      const note = notesOf(ctx).update(input.id, input);
      return note === undefined ? unknownNote(input.id) : structured({ note });
    },
  );

  server.registerTool(
    "notes_delete",
    {
      title: "Delete a note",
      description: "Deletes one of your notes for good.",
      inputSchema: z.object({ id }),
      outputSchema: z.object({ deleted: z.string().describe("The id of the deleted note") }),
      annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
    },
    (input, ctx) => (notesOf(ctx).remove(input.id) ? structured({ deleted: input.id }) : unknownNote(input.id)),
  );

  return server;
}

function unknownNote(noteId: string): ReturnType<typeof failure> {
  return failure(`You have no note with the id "${noteId}". Call notes_list to see the ids of your notes.`);
}
