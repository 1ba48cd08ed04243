import * as z from "zod";
import { readEvents, type AuditEntry, type AuditPosition } from "../audit/read.ts";
import { AppError } from "../platform/errors.ts";
import { route } from "./deps.ts";
import { nextCursor as nextPage, paged, instant } from "./shapes.ts";

const entry = z
  .object({
    id: z.string().describe("The id of the entry."),
    at: instant("When it happened."),
    event: z
      .string()
      .meta({ examples: ["mcp.tools/call"] })
      .describe("What happened."),
    outcome: z
      .string()
      .meta({ examples: ["ok"] })
      .describe("The outcome: `ok`, `error`, `refused` or `unknown`."),
    code: z.string().nullable().describe("Why it was refused or failed; null when it succeeded."),
    target: z.string().nullable().describe("What the event is about, such as a tool, a key or a server."),
    userId: z.string().nullable().describe("The person who did it, or on whose behalf it was done."),
    credentialKind: z.string().nullable().describe("The kind of credential that was used."),
    credentialId: z.string().nullable().describe("The id of the credential."),
    clientId: z.string().nullable().describe("The OAuth client that held the token."),
    requestId: z.string().describe("The id of the request, as in the header `x-request-id` of its answer."),
    ip: z.string().nullable().describe("The IP address of the request."),
    userAgent: z.string().nullable().describe("The User-Agent header of the request."),
    durationMs: z.number().nullable().describe("How long it took, in milliseconds."),
  })
  .meta({ id: "AuditEntry", description: "An entry of the audit log." });

/** The audit log of the caller's tenant, newest first. */
export const listAudit = route({
  method: "get",
  path: "/api/v1/audit",
  id: "listAuditEntries",
  tag: "Audit log",
  summary: "List the audit log of your organization, newest first",
  who: { scopes: ["audit:read"] },
  in: {
    query: paged(z.string().max(200)),
  },
  out: z.object({ entries: z.array(entry).describe("Entries, newest first."), nextCursor: nextPage }),
  handle: async ({ deps, caller, input: { query } }) => {
    const before = query.cursor === undefined ? undefined : readCursor(query.cursor);
    const entries = await readEvents(deps.databases.read, { tenantId: caller.tenantId, limit: query.limit, before });
    const last = entries.at(-1);
    const nextCursor = last && entries.length === query.limit ? writeCursor(last) : null;
    return { entries: entries.map(toEntry), nextCursor };
  },
});

function toEntry({ tenantId: _tenant, detail: _detail, at, ...shown }: AuditEntry): z.infer<typeof entry> {
  return { ...shown, at: at.toISOString() };
}

const writeCursor = ({ at, id }: AuditPosition) => `${at.getTime()}.${id}`;

function readCursor(cursor: string): AuditPosition {
  const [, time, id] = /^(\d{1,15})\.([0-9a-f-]{36})$/.exec(cursor) ?? [];
  if (time === undefined || id === undefined) {
    throw new AppError("invalid_request", '"cursor" must be the nextCursor of the previous page.');
  }
  return { at: new Date(Number(time)), id };
}
