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

/** {@link deleteAccount} with what other rooms delete along. */
export const endAccount = (db: Pick<AuthDeps["db"], "execute">, userId: string, by: ChangedBy) =>
  deleteAccount(db, userId, by, { deleteKeys: deleteKeysOf, deleteOrganizations });

type EndDeps = Pick<AuthDeps, "db" | "redis" | "background" | "stopCredentials" | "resumeGrants" | "now">;

const lastOwner = (organizations: readonly string[]) =>
  new APIError("CONFLICT", {
    code: "LAST_OWNER",
    message: "Make somebody else owner of these organizations first.",
    organizations: [...organizations],
  });

/**
 * Deletion of an account at Better Auth's own address, in place of its endpoint. Credentials are stopped in Redis first: when the one
 * statement that deletes has done its work nothing of the account is left, and when it has not, they are let in again.
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
      // An answer may be lost while the statement stands; when nobody can say, nothing is let in again.
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
            throw new APIError("BAD_REQUEST", { code: "ADDRESS_MISMATCH", message: "Enter the account's address." });
          const account = await accountWithPassword(deps, password.verify, session.user.id, ctx.body.password);
          await end(account.id, { actor: personActor(account.id, session.session.id), now: deps.now() });
          deleteSessionCookie(ctx);
          return ctx.json({ status: true });
        },
      ),
    },
  };
}

/** What came up after the account was read. */
function newSince(ended: AccountHoldings, known: AccountHoldings) {
  return {
    keyHashes: ended.keyHashes.filter((hash) => !known.keyHashes.includes(hash)),
    grantIds: ended.grantIds.filter((id) => !known.grantIds.includes(id)),
  };
}
