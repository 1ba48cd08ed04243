import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthEndpoint } from "better-auth/api";
import { deleteSessionCookie } from "better-auth/cookies";
import * as z from "zod";
import type { ChangedBy } from "../../audit/event.ts";
import { personActor } from "../trail.ts";
import { accountExists, deleteAccount, holdingsOf, type AccountHoldings } from "../../accounts/deletion.ts";
import type { AuthDeps } from "../deps.ts";
import { deleteKeysOf } from "../../keys/revocation.ts";
import { deleteOrganizations } from "../../organizations/organizations.ts";
import { ownSession } from "../own-session.ts";
import { accountWithPassword } from "./proved-password.ts";

/** {@link deleteAccount} with what other folders delete in the same statement. */
export const endAccount = (db: Pick<AuthDeps["db"], "execute">, userId: string, by: ChangedBy) =>
  deleteAccount(db, userId, by, { deleteKeys: deleteKeysOf, deleteOrganizations });

type EndDeps = Pick<AuthDeps, "db" | "redis" | "background" | "stopCredentials" | "resumeGrants" | "now">;

const lastOwner = (organizations: readonly string[]) =>
  new APIError("CONFLICT", {
    code: "LAST_OWNER",
    message: "Make another member an owner of these organizations first.",
    organizations: [...organizations],
  });

/**
 * Deletion of an account at Better Auth's path, in place of its endpoint. Credentials are stopped in Redis first. Then
 * one statement deletes the whole account; if it deletes nothing, the credentials are accepted again.
 */
export function accountEnd(deps: EndDeps): BetterAuthPlugin {
  const { db, stopCredentials, resumeGrants } = deps;

  async function end(userId: string, by: ChangedBy): Promise<void> {
    const known = await holdingsOf(db, userId);
    if (known.orphans.length > 0) throw lastOwner(known.orphans);
    let ended: Awaited<ReturnType<typeof endAccount>>;
    try {
      await stopCredentials(known);
      ended = await endAccount(db, userId, by);
    } catch (error) {
      // The statement may have succeeded although its answer was lost. If that cannot be found out, credentials stay
      // stopped.
      if (!(await accountExists(db, userId))) return;
      await resumeGrants(known.grantIds);
      throw error;
    }
    if (ended.orphans.length > 0) {
      await resumeGrants(known.grantIds);
      throw lastOwner(ended.orphans);
    }
    await stopCredentials(newSince(ended, known));
  }

  return {
    id: "account-end",
    rateLimit: [{ pathMatcher: (path) => path === "/delete-user", window: 60, max: 20 }],
    endpoints: {
      deleteUser: createAuthEndpoint(
        "/delete-user",
        {
          method: "POST",
          body: z.object({ email: z.string(), password: z.string() }),
          use: [ownSession],
        },
        async (ctx) => {
          const { password, session } = ctx.context;
          if (ctx.body.email.trim().toLowerCase() !== session.user.email)
            throw new APIError("BAD_REQUEST", {
              code: "ADDRESS_MISMATCH",
              message: "Enter the account's email address.",
            });
          const account = await accountWithPassword(deps, password.verify, session.user.id, ctx.body.password);
          await end(account.id, { actor: personActor(account.id, session.session.id), now: deps.now() });
          deleteSessionCookie(ctx);
          return ctx.json({ status: true });
        },
      ),
    },
  };
}

/** Credentials that were created after the account was read. */
function newSince(ended: AccountHoldings, known: AccountHoldings) {
  return {
    keyHashes: ended.keyHashes.filter((hash) => !known.keyHashes.includes(hash)),
    grantIds: ended.grantIds.filter((id) => !known.grantIds.includes(id)),
  };
}
