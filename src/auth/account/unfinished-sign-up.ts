import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthMiddleware } from "better-auth/api";
import { sql } from "drizzle-orm";
import type { ChangedBy } from "../../audit/event.ts";
import { changeEntry } from "../../audit/entry.ts";
import { personalTenantSql } from "../../identity/standing.ts";
import { unknownActor } from "./trail.ts";
import type { AuthDeps } from "../deps.ts";

const SIGN_UP = "/sign-up/email";
/** Longer than a sign-up can take between its rows: one that is under way is left alone. */
const UNDER_WAY_SECONDS = 15;

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
              await takeBack(db, email.toLowerCase(), { actor: unknownActor(), now: now() });
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

async function takeBack(db: Pick<AuthDeps["db"], "execute">, email: string, by: ChangedBy): Promise<void> {
  await db.execute(sql`
    with unfinished as (
      delete from "user" u where u.email = ${email} and not u.email_verified
        and u.created_at < now() at time zone 'utc' - make_interval(secs => ${UNDER_WAY_SECONDS})
        and not exists (select 1 from account where user_id = u.id)
      returning id
    ), recorded as (
      ${changeEntry({
        event: "account.deleted",
        ...by,
        from: sql`unfinished`,
        tenant: personalTenantSql(sql`id`),
        target: sql`id`,
        detail: { reason: "unfinished_sign_up" },
      })}
    )
    delete from organization where id in (select ${personalTenantSql(sql`id`)} from unfinished)`);
}
