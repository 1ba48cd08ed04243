import { sql } from "drizzle-orm";
import { auditShardOf } from "../../src/access/admission.ts";
import { personalTenantId } from "../../src/auth/tenants.ts";
import { connectRedis, redisKeys } from "../../src/platform/redis.ts";
import { callTool, config, db, eventually, newKey } from "./gateway.ts";

const READ = "#!lua flags=allow-key-locking\nreturn redis.call('XRANGE', KEYS[1], '-', '+')";

/** One entry of an audit stream. */
export interface StreamEntry {
  id: string;
  /** `i`: what was about to happen; `o`: what came of it. */
  kind: string;
  row: Record<string, unknown>;
}

/** What the audit stream of a person's own tenant holds. */
export async function auditStream(userId: string): Promise<StreamEntry[]> {
  const stream = redisKeys.auditStream(auditShardOf(personalTenantId(userId)));
  const entries = await connectRedis(config).eval<[], [string, [string, string]][]>(READ, [stream], []);
  return entries.flatMap(([id, [kind, text]]) => {
    const row = parsed(text);
    return row === undefined ? [] : [{ id, kind, row }];
  });
}

/** Other stories leave entries that nobody can read. */
function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const row: unknown = JSON.parse(text);
    return typeof row === "object" && row !== null ? (row as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Resolves when everything that happened before is written down and trimmed: from then on only the test itself makes requests. */
export async function journalSettled(): Promise<void> {
  const { key, id, userId } = await newKey();
  await callTool("echo", { text: "last" }, { key });
  await eventually(async () => {
    const { rows } = await db.execute(sql`select 1 from audit_log where credential_id = ${id}`);
    if (rows.length === 0) return undefined;
    const left = (await auditStream(userId)).filter(({ row }) => row["credential_id"] === id);
    return left.length === 0 ? true : undefined;
  });
}
