import type { BetterAuthOptions } from "better-auth";
import { generateId } from "better-auth";
import { APIError } from "better-auth/api";
import { personActor } from "../trail.ts";
import type { AuthDeps } from "../deps.ts";
import { unverifiedByProvider } from "../providers/providers.ts";
import { isInvited } from "../../organizations/invitations.ts";
import { maySignUp, userProblem } from "../../accounts/sign-up.ts";
import { signInMethod } from "./sign-in-outcome.ts";
import { ensurePersonalTenant, type ArrivalEntry } from "./arrival.ts";

/** Rules for every new or changed account and every new session, however it is created. */
export function accountRules({ config, db, now }: Pick<AuthDeps, "config" | "db" | "now">) {
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
              message: "Sign-up on this gateway is by invitation only. Ask an administrator for an invitation.",
            });
          }
        },
        after: async (user, context) => {
          const administrator = context?.context.session?.session;
          const actor = administrator ? personActor(administrator.userId, administrator.id) : personActor(user.id);
          const method = signInMethod(context?.path, context?.params?.["id"]) ?? "administrator";
          await ensurePersonalTenant(db, user.id, config.ADMIN_EMAILS, {
            event: "account.created",
            actor,
            method,
            now: now(),
          });
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
        // Runs after the framework has accepted the sign-in; only the row of the session is not written yet. The id is
        // created here, so that the audit entry of the sign-in names it.
        before: async (session, context) => {
          const id = generateId();
          const method = signInMethod(context?.path, context?.params?.["id"]);
          const entry = method === undefined ? undefined : signedIn(session.userId, id, method, now());
          const tenant = await ensurePersonalTenant(db, session.userId, config.ADMIN_EMAILS, entry);
          return { data: { ...session, id, activeOrganizationId: tenant } };
        },
      },
    },
  } satisfies BetterAuthOptions["databaseHooks"];
}

const signedIn = (userId: string, sessionId: string, method: string, now: number): ArrivalEntry => ({
  event: "account.signed_in",
  actor: personActor(userId, sessionId),
  method,
  now,
});
