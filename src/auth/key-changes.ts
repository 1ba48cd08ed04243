import { createAuthMiddleware } from "better-auth/api";
import type { PublishChanges } from "../platform/outbox.ts";

/** Changes of keys, and of who somebody is, that the framework makes at its own addresses. */
const isChanging = (path: string | undefined) =>
  path === "/api-key/update" || path === "/api-key/delete" || path?.startsWith("/admin/") === true;

/** A hook that brings such a change to Redis before it is confirmed. */
export function keyChangeHooks({ publish }: { publish: PublishChanges }) {
  return {
    after: createAuthMiddleware(async (ctx) => {
      if (isChanging(ctx.path) && !(ctx.context.returned instanceof Error)) await publish();
    }),
  };
}
