import { randomUUID } from "node:crypto";

interface Note {
  id: string;
  title: string;
  text: string;
  /** ISO 8601, UTC. */
  createdAt: string;
  /** ISO 8601, UTC. */
  updatedAt: string;
}

/** The notes of one caller, in the order of their creation. */
export interface NoteStore {
  create: (title: string, text: string) => Note;
  list: () => Note[];
  read: (id: string) => Note | undefined;
  /** Undefined when there is no such note. Fields that are left out stay as they are. */
  update: (id: string, change: { title?: string | undefined; text?: string | undefined }) => Note | undefined;
  /** False when there is no such note. */
  remove: (id: string) => boolean;
}

/** In-memory notes: gives each caller a store that shares nothing with the others'. */
export function createNoteStores(): (caller: string) => NoteStore {
  const notesOf = new Map<string, Map<string, Note>>();
  return (caller) => {
    const notes = notesOf.get(caller) ?? new Map<string, Note>();
    notesOf.set(caller, notes);
    return storeOver(notes);
  };
}

function storeOver(notes: Map<string, Note>): NoteStore {
  const put = (note: Note): Note => {
    notes.set(note.id, note);
    return note;
  };
  return {
    create: (title, text) => {
      const now = new Date().toISOString();
      return put({ id: randomUUID(), title, text, createdAt: now, updatedAt: now });
    },
    list: () => [...notes.values()],
    read: (id) => notes.get(id),
    update: (id, change) => {
      const note = notes.get(id);
      if (note === undefined) return undefined;
      return put({
        ...note,
        title: change.title ?? note.title,
        text: change.text ?? note.text,
        updatedAt: new Date().toISOString(),
      });
    },
    remove: (id) => notes.delete(id),
  };
}
