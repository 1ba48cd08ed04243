import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthMiddleware } from "better-auth/api";
import { unknownActor } from "../trail.ts";
import { deleteUnfinished } from "../../accounts/deletion.ts";
import { deleteOrganizations } from "../../organizations/organizations.ts";
import type { AuthDeps } from "../deps.ts";

const SIGN_UP = "/sign-up/email";

/**
 * A sign-up writes a user, then the account with the password, in two statements. When the second fails, the address is taken and nobody
 * can sign in with it. The next sign-up with it takes such a user back first, and a failure is told as ours, not as the person's.
 */
export function unfinishedSignUp({ db, now }: Pick<AuthDeps, "db" | "now">): BetterAuthPlugin {
  const matcher = (context: { path?: string | undefined }) => context.path === SIGN_UP;
  return {
    id: "unfinished-sign-up",
    hooks: {
      before: [
        {
          matcher,
          handler: createAuthMiddleware(async (ctx) => {
            const { email } = (ctx.body ?? {}) as { email?: unknown };
            if (typeof email === "string") {
              await deleteUnfinished(
                db,
                email.toLowerCase(),
                { actor: unknownActor(), now: now() },
                { deleteOrganizations },
              );
            }
          }),
        },
      ],
      after: [
        {
          matcher,
          handler: createAuthMiddleware(async (ctx) => {
            const { returned } = ctx.context;
            // Better Auth would keep the status 422 of this refusal; an error that is no refusal of its own becomes a 500.
            if (returned instanceof APIError && returned.body?.code === "FAILED_TO_CREATE_USER")
              throw new Error("the account could not be stored");
          }),
        },
      ],
    },
  };
}
