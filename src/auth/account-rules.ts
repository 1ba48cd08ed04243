import type { BetterAuthOptions } from "better-auth";
import { APIError } from "better-auth/api";
import type { AuthDeps } from "./deps.ts";
import { unverifiedByProvider } from "./providers.ts";
import { isInvited } from "./invitations.ts";
import { maySignUp, userProblem } from "./sign-up.ts";
import { ensurePersonalTenant } from "./tenants.ts";

/** What holds for every account and session, whichever way it is made. */
export function accountRules({ config, db }: Pick<AuthDeps, "config" | "db">) {
  return {
    user: {
      create: {
        before: async (user, context) => {
          const problem = userProblem(user);
          if (problem !== undefined) throw new APIError("BAD_REQUEST", { code: "INVALID_USER", message: problem });
          const unverified = unverifiedByProvider(user, context?.path);
          if (unverified) throw unverified;
          if (
            !maySignUp(config, user.email) &&
            !(config.SIGN_UP.kind === "invite" && (await isInvited(db, user.email)))
          ) {
            throw new APIError("FORBIDDEN", {
              code: "SIGN_UP_CLOSED",
              message: "Sign-up is by invitation on this gateway.",
            });
          }
        },
        after: async (user) => {
          await ensurePersonalTenant(db, user.id, config.ADMIN_EMAILS);
        },
      },
      update: {
        before: async (user) => {
          const problem = userProblem(user);
          if (problem !== undefined) throw new APIError("BAD_REQUEST", { code: "INVALID_USER", message: problem });
        },
      },
    },
    session: {
      create: {
        before: async (session) => {
          const tenant = await ensurePersonalTenant(db, session.userId, config.ADMIN_EMAILS);
          return { data: { ...session, activeOrganizationId: tenant } };
        },
      },
    },
  } satisfies BetterAuthOptions["databaseHooks"];
}
