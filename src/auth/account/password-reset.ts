import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthEndpoint } from "better-auth/api";
import * as z from "zod";
import { passwordChangedMail, RESET_SECONDS, resetMail } from "../../accounts/mails.ts";
import { accountEvent, personActor, unknownActor } from "../trail.ts";
import { findAccount, replacePassword, type Account } from "../../accounts/accounts.ts";
import { addressToVerify } from "./address-proof.ts";
import type { AuthDeps } from "../deps.ts";
import { accountState, resetLink } from "../../accounts/link-token.ts";
import { rememberDevice } from "./login-backoff.ts";
import { mayMail } from "../../accounts/mail-allowance.ts";
import { checkNewPassword } from "./new-password.ts";

type ResetDeps = Pick<AuthDeps, "config" | "db" | "storage" | "sendMail" | "background" | "journal" | "now">;

const EVERYBODY_ACCEPTED = { status: true, message: "If there is an account with this address, we sent it an email." };

const invalidToken = () =>
  new APIError("BAD_REQUEST", { code: "INVALID_TOKEN", message: "This link has expired or was used." });

/**
 * Password reset at Better Auth's paths, in place of its endpoints. Those use up the link before they write, and set
 * the password and end the sessions one after the other, so that a failure loses the link or leaves intruders signed
 * in. Here nothing is stored for a link, and one statement does all or nothing.
 */
export function passwordReset(deps: ResetDeps): BetterAuthPlugin {
  const { config, db, background } = deps;
  const secrets = config.BETTER_AUTH_SECRETS;

  async function mailLink(account: Account, next: string | undefined): Promise<void> {
    const claims = { userId: account.id, state: await accountState(account) };
    const token = await resetLink.sign(secrets, claims, Date.now() + RESET_SECONDS * 1000);
    await deps.sendMail(resetMail(config.BASE_URL, account.email, token, next));
  }

  /**
   * Anybody can request an email to anybody, so requests are recorded once in a while per account, or per network when
   * there is none.
   */
  function noteRequest(userId: string | undefined): void {
    const actor = userId === undefined ? unknownActor() : personActor(userId);
    deps.journal.tried(accountEvent(userId, { event: "account.password_reset_requested", actor }, deps.now()));
  }

  /**
   * The account whose password a link may set: the link of a reset email, or of an email that asks to confirm the
   * address.
   */
  async function accountOf(token: string, secret: string): Promise<Account | undefined> {
    const claims = await resetLink.read(secrets, token, Date.now());
    if (claims) {
      const account = await findAccount(db, { id: claims.userId });
      return account && (await accountState(account)) === claims.state ? account : undefined;
    }
    const email = await addressToVerify(token, secret);
    const account = email === undefined ? undefined : await findAccount(db, { email });
    return account?.verified === false ? account : undefined;
  }

  return {
    id: "password-reset",
    rateLimit: [
      {
        pathMatcher: (path) => path === "/request-password-reset" || path === "/reset-password",
        window: 60,
        max: 10,
      },
    ],
    endpoints: {
      requestPasswordReset: createAuthEndpoint(
        "/request-password-reset",
        { method: "POST", body: z.object({ email: z.email().max(254), redirectTo: z.string().optional() }) },
        async (ctx) => {
          const email = ctx.body.email.toLowerCase();
          const allowed = await mayMail(deps, "reset", email);
          const account = await findAccount(db, { email });
          noteRequest(account?.id);
          if (allowed && account) background(mailLink(account, ctx.body.redirectTo));
          return ctx.json(EVERYBODY_ACCEPTED);
        },
      ),
      resetPassword: createAuthEndpoint(
        "/reset-password",
        { method: "POST", body: z.object({ token: z.string(), newPassword: z.string() }) },
        async (ctx) => {
          const { token, newPassword } = ctx.body;
          checkNewPassword(newPassword);
          const account = await accountOf(token, ctx.context.secret);
          if (!account) throw invalidToken();
          const hash = await ctx.context.password.hash(newPassword);
          const event = "account.password_reset" as const;
          const entry = { event, actor: personActor(account.id), now: deps.now() };
          if (!(await replacePassword(db, account, hash, entry))) throw invalidToken();
          await rememberDevice(ctx, secrets, account.email);
          if (account.verified) background(deps.sendMail(passwordChangedMail(config.BASE_URL, account.email)));
          return ctx.json({ status: true });
        },
      ),
    },
  };
}
