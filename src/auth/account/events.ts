import type { BetterAuthPlugin, GenericEndpointContext, Session } from "better-auth";
import { APIError, createAuthMiddleware } from "better-auth/api";
import type { Actor, AuditEventName } from "../../audit/event.ts";
import { accountEvent, lookedUpAccount, personActor, unknownActor } from "../trail.ts";
import type { AuthDeps } from "../deps.ts";
import { isSignIn, passwordRefusal, providerRefusal, signInMethod } from "./sign-in-outcome.ts";

type EventDeps = Pick<AuthDeps, "config" | "journal" | "now">;
type HookContext = GenericEndpointContext | null;

/**
 * Records what the framework changes in accounts and sessions, in the journal and after the change. Also records
 * sign-ins that it refuses; anybody can cause those without end, so they are recorded from time to time with a count.
 * Changes by our own statements are recorded in those statements.
 */
export function accountEvents({ config, journal, now }: EventDeps): BetterAuthPlugin {
  function record(event: AuditEventName, owner: string, actor: Actor, target = owner): void {
    journal.record(accountEvent(owner, { event, actor, target }, now()));
  }

  function refused(code: string, method: string): void {
    const userId = lookedUpAccount();
    const actor = userId === undefined ? unknownActor() : personActor(userId);
    const detail = { method };
    const event = { event: "account.sign_in_refused", outcome: "refused" } as const;
    journal.tried(accountEvent(userId, { ...event, code, actor, detail }, now()));
  }

  return {
    id: "account-events",
    init: () => ({
      options: {
        databaseHooks: {
          user: {
            update: {
              after: async ({ id, emailVerified }, context) => {
                if (context?.path === "/verify-email" && emailVerified)
                  record("account.email_verified", id, personActor(id));
              },
            },
          },
          session: {
            delete: {
              after: async (session, context) => {
                if (session.expiresAt.getTime() <= now()) return;
                const event = context?.path === "/sign-out" ? "account.signed_out" : "session.ended";
                record(event, session.userId, callerOf(context, session), session.id);
              },
            },
          },
          account: {
            create: {
              after: async ({ providerId, userId }, context) => {
                if (providerId === PASSWORD) return;
                record("account.provider_linked", userId, callerOf(context, { userId }), providerId);
              },
            },
            delete: {
              after: async ({ providerId, userId }, context) =>
                record("account.provider_unlinked", userId, callerOf(context, { userId }), providerId),
            },
          },
        },
      },
    }),
    hooks: {
      after: [
        {
          matcher: ({ path }) => isSignIn(path),
          handler: createAuthMiddleware(async (ctx) => {
            const { newSession, returned, responseHeaders } = ctx.context;
            if (newSession) return;
            const method = signInMethod(ctx.path, ctx.params?.["id"]) ?? "";
            const problem: unknown = returned instanceof APIError ? returned.body?.code : undefined;
            const code =
              method === "password"
                ? passwordRefusal(problem, lookedUpAccount() !== undefined)
                : providerRefusal(responseHeaders?.get("location"), config.BASE_URL);
            if (code !== undefined) refused(code, method);
          }),
        },
      ],
    },
  };
}

/** The framework's provider id for accounts with a password. */
const PASSWORD = "credential";

/** Who made a change: the person whose session came with the request, otherwise the owner of the changed row. */
function callerOf(context: HookContext | undefined, row: { userId: string; id?: string }): Actor {
  const session: Pick<Session, "id" | "userId"> | undefined = context?.context.session?.session;
  return session ? personActor(session.userId, session.id) : personActor(row.userId, row.id);
}
