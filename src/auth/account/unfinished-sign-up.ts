import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthMiddleware } from "better-auth/api";
import { unknownActor } from "../trail.ts";
import { deleteUnfinished } from "../../accounts/deletion.ts";
import { deleteOrganizations } from "../../organizations/organizations.ts";
import type { AuthDeps } from "../deps.ts";

const SIGN_UP = "/sign-up/email";

/**
 * A sign-up writes the user and then the account with the password, in two statements. If the second fails, the address
 * is taken but nobody can sign in with it. The next sign-up with the address deletes such a user first. The failure
 * itself is reported as an internal error, not as the person's mistake.
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
            // Better Auth would keep the status 422 of this refusal; any other error becomes a 500.
            if (returned instanceof APIError && returned.body?.code === "FAILED_TO_CREATE_USER")
              throw new Error("the account could not be stored");
          }),
        },
      ],
    },
  };
}
