import type { BetterAuthPlugin, GenericEndpointContext } from "better-auth";
import { APIError, createAuthEndpoint } from "better-auth/api";
import { deleteSessionCookie, setSessionCookie } from "better-auth/cookies";
import * as z from "zod";
import { errorFields } from "../../platform/log.ts";
import { addressChangedMail, NEW_ADDRESS_SECONDS, newAddressMail, passwordChangedMail } from "../../accounts/mails.ts";
import { accountEvent, personActor } from "../trail.ts";
import { findAccount, replaceAddress, replacePassword, type Account } from "../../accounts/accounts.ts";
import type { AuthDeps } from "../deps.ts";
import { accountState, addressLink } from "../../accounts/link-token.ts";
import { rememberDevice } from "./login-backoff.ts";
import { mayMail } from "../../accounts/mail-allowance.ts";
import { checkNewPassword } from "./new-password.ts";
import { ownSession } from "../own-session.ts";
import { accountWithPassword } from "./proved-password.ts";
import { withoutSessionFaults } from "../storage/session-faults.ts";
import { mayHold } from "../../accounts/sign-up.ts";

const refusal = (code: string, message: string) => new APIError("BAD_REQUEST", { code, message });

/**
 * Change of password and of address, at Better Auth's paths in place of its endpoints. Both ask for the password, do
 * their work in one statement that ends all sessions, and give this browser a new session.
 */
export function accountChanges(deps: AuthDeps): BetterAuthPlugin {
  const { config, db, background } = deps;
  const secrets = config.BETTER_AUTH_SECRETS;

  const changedBy = ({ session }: { session: { id: string; userId: string } }) => ({
    actor: personActor(session.userId, session.id),
    now: deps.now(),
  });

  /** Gives this browser a new session, so that the person stays signed in here. */
  async function signInAgain(ctx: GenericEndpointContext, userId: string): Promise<void> {
    try {
      const { internalAdapter } = ctx.context;
      const session = await withoutSessionFaults(() => internalAdapter.createSession(userId));
      const user = await internalAdapter.findUserById(userId);
      if (user) return await setSessionCookie(ctx, { session, user });
    } catch (error) {
      // The change is committed, so no error is reported: the person would repeat it. They have to sign in again.
      deps.log("warn", "auth.session_not_renewed", errorFields(error));
    }
    deleteSessionCookie(ctx);
  }

  async function mailConfirmation(account: Account, address: string): Promise<void> {
    const claims = { userId: account.id, address, state: await accountState(account) };
    const token = await addressLink.sign(secrets, claims, Date.now() + NEW_ADDRESS_SECONDS * 1000);
    await deps.sendMail(newAddressMail(config.BASE_URL, address, token));
  }

  return {
    id: "account-changes",
    rateLimit: [
      {
        pathMatcher: (path) => ["/change-password", "/change-email", "/confirm-new-email"].includes(path),
        window: 60,
        max: 20,
      },
    ],
    endpoints: {
      changePassword: createAuthEndpoint(
        "/change-password",
        {
          method: "POST",
          body: z.object({ currentPassword: z.string(), newPassword: z.string() }),
          use: [ownSession],
        },
        async (ctx) => {
          const { currentPassword, newPassword } = ctx.body;
          checkNewPassword(newPassword);
          const { password } = ctx.context;
          const account = await accountWithPassword(
            deps,
            password.verify,
            ctx.context.session.user.id,
            currentPassword,
          );
          const hash = await password.hash(newPassword);
          const event = "account.password_changed" as const;
          if (!(await replacePassword(db, account, hash, { event, ...changedBy(ctx.context.session) })))
            throw refusal("INVALID_PASSWORD", "The password was changed a moment ago. Sign in again.");
          await signInAgain(ctx, account.id);
          background(deps.sendMail(passwordChangedMail(config.BASE_URL, account.email)));
          return ctx.json({ status: true });
        },
      ),
      changeEmail: createAuthEndpoint(
        "/change-email",
        {
          method: "POST",
          body: z.object({ newEmail: z.email().max(254), password: z.string() }),
          use: [ownSession],
        },
        async (ctx) => {
          const address = ctx.body.newEmail.toLowerCase();
          if (!mayHold(config, address))
            throw refusal("ADDRESS_NOT_ALLOWED", "This gateway does not accept this email address.");
          const { password, session } = ctx.context;
          const account = await accountWithPassword(deps, password.verify, session.user.id, ctx.body.password);
          if (address === account.email) throw refusal("SAME_ADDRESS", "This is already the address of the account.");
          const allowed = await mayMail(deps, "address", address);
          const taken = await findAccount(db, { email: address });
          // The entry does not say whether the address is taken either, because the person may read it.
          const { actor, now } = changedBy(session);
          deps.journal.record(accountEvent(account.id, { event: "account.email_change_requested", actor }, now));
          if (allowed && !taken) background(mailConfirmation(account, address));
          return ctx.json({ status: true });
        },
      ),
      confirmNewEmail: createAuthEndpoint(
        "/confirm-new-email",
        { method: "POST", body: z.object({ token: z.string() }), use: [ownSession] },
        async (ctx) => {
          const claims = await addressLink.read(secrets, ctx.body.token, Date.now());
          const invalid = refusal("INVALID_TOKEN", "This link has expired or was used, or is for another account.");
          if (!claims || claims.userId !== ctx.context.session.user.id) throw invalid;
          const account = await findAccount(db, { id: claims.userId });
          if (!account || (await accountState(account)) !== claims.state) throw invalid;
          const changed = await replaceAddress(
            db,
            account,
            claims.address,
            config.ADMIN_EMAILS,
            changedBy(ctx.context.session),
          );
          if (!changed) throw invalid;
          if (changed === "taken") throw refusal("ADDRESS_TAKEN", "This address cannot be used.");
          await deps.stopCredentials({ keyHashes: [], grantIds: changed.grants });
          await rememberDevice(ctx, secrets, claims.address);
          await signInAgain(ctx, account.id);
          background(deps.sendMail(addressChangedMail(config.BASE_URL, account.email)));
          return ctx.json({ status: true });
        },
      ),
    },
  };
}
