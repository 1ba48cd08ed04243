import { createAuthMiddleware } from "better-auth/api";
import { accountEvent, personActor } from "./trail.ts";
import type { AuthDeps } from "./deps.ts";
import { frameworkAct } from "./account/framework-acts.ts";

/** Whether a framework endpoint changes keys or accounts. */
const isChanging = (path: string | undefined) =>
  path === "/api-key/update" || path === "/api-key/delete" || path?.startsWith("/admin/") === true;

/** A hook that sends such a change to Redis before it is confirmed, and records it after the framework has made it. */
export function keyChangeHooks({ flushOutbox, journal, now }: Pick<AuthDeps, "flushOutbox" | "journal" | "now">) {
  return {
    after: createAuthMiddleware(async (ctx) => {
      const { returned, session } = ctx.context;
      if (returned instanceof Error) return;
      const act = session && frameworkAct(ctx.path, { body: ctx.body, returned, userId: session.user.id });
      if (act) {
        const { ownerId, ...what } = act;
        journal.record(
          accountEvent(ownerId, { ...what, actor: personActor(session.user.id, session.session.id) }, now()),
        );
      }
      if (isChanging(ctx.path)) await flushOutbox();
    }),
  };
}
