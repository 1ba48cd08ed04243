import { createAuthMiddleware } from "better-auth/api";
import { sql } from "drizzle-orm";
import type { Db } from "../platform/db.ts";

const CHANGING = ["/api-key/update", "/api-key/delete"];

/** Hooks that tell the rest of the gateway which key a user has just changed or deleted through Better Auth's own endpoints. */
export function keyChangeHooks({
  db,
  onKeyChanged,
}: {
  db: Pick<Db, "execute">;
  onKeyChanged: (hash: string) => Promise<void>;
}) {
  return {
    // Afterwards the row may be gone: read the hash first.
    before: createAuthMiddleware(async (ctx) => {
      const keyId: unknown = ctx.body?.keyId;
      if (!CHANGING.includes(ctx.path) || typeof keyId !== "string") return undefined;
      const { rows } = await db.execute<{ key: string }>(sql`select key from apikey where id = ${keyId}`);
      return { context: { changingKeyHash: rows[0]?.key } };
    }),
    after: createAuthMiddleware(async (ctx) => {
      const { changingKeyHash } = ctx as { changingKeyHash?: unknown };
      const failed = ctx.context.returned instanceof Error;
      if (CHANGING.includes(ctx.path) && typeof changingKeyHash === "string" && !failed)
        await onKeyChanged(changingKeyHash);
    }),
  };
}
