import * as z from "zod";
import { readEvents, type AuditEntry, type AuditPosition } from "../audit/read.ts";
import { AppError } from "../platform/errors.ts";
import { route } from "./deps.ts";

const entry = z.object({
  id: z.string(),
  at: z.string(),
  event: z.string(),
  outcome: z.string(),
  code: z.string().nullable(),
  target: z.string().nullable(),
  userId: z.string().nullable(),
  credentialKind: z.string().nullable(),
  credentialId: z.string().nullable(),
  clientId: z.string().nullable(),
  requestId: z.string(),
  ip: z.string().nullable(),
  userAgent: z.string().nullable(),
  durationMs: z.number().nullable(),
});

/** The audit log of the caller's tenant, newest first. */
export const listAudit = route({
  method: "get",
  path: "/api/v1/audit",
  summary: "Audit log of your organization, newest first",
  who: { scopes: ["audit:read"] },
  in: {
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).max(200).default(50),
      cursor: z.string().max(200).optional(),
    }),
  },
  out: z.object({ entries: z.array(entry), nextCursor: z.string().nullable() }),
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
    throw new AppError("invalid_request", "query.cursor: use the nextCursor of the page before.");
  }
  return { at: new Date(Number(time)), id };
}
