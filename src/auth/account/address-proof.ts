import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthMiddleware, createEmailVerificationToken } from "better-auth/api";
import { parseCookies } from "better-auth/cookies";
import { verifyJWT } from "better-auth/crypto";
import { VERIFICATION_SECONDS, verificationMail } from "../../accounts/mails.ts";
import { isMarked, markOf } from "../../accounts/browser-mark.ts";
import type { AuthDeps } from "../deps.ts";
import { mayMail } from "../../accounts/mail-allowance.ts";

type ProofDeps = Pick<AuthDeps, "config" | "storage" | "sendMail" | "browserCookie">;

/** The paths on which Better Auth asks for a verification email only after the account's password was entered. */
const WITH_PASSWORD = ["/sign-up/email", "/sign-in/email"];

/**
 * Sends the link that confirms an address. It works by a click in the browser that caused it; elsewhere it lets the
 * reader choose a password.
 */
export async function sendVerification(
  deps: ProofDeps,
  { user, url, token }: { user: { email: string }; url: string; token: string },
  request: Request | undefined,
): Promise<void> {
  const { config, browserCookie, sendMail } = deps;
  if (!(await mayMail(deps, "verification", user.email))) return;
  const knows = request && WITH_PASSWORD.some((path) => new URL(request.url).pathname.endsWith(path));
  const cookie = knows ? parseCookies(request.headers.get("cookie") ?? "").get(browserCookie) : undefined;
  const mark = cookie === undefined ? undefined : await markOf(config.BETTER_AUTH_SECRETS, token, cookie);
  await sendMail(verificationMail(config.BASE_URL, user.email, url, mark));
}

/**
 * For a sign-up with an address whose account is not confirmed yet; the person may be the owner of the address, and an
 * earlier one somebody else. The password entered now is not stored, so the email lets them choose one.
 */
export async function sendVerificationAgain(
  deps: ProofDeps,
  { email, emailVerified }: { email: string; emailVerified: boolean },
): Promise<void> {
  if (emailVerified) return;
  const secret = deps.config.BETTER_AUTH_SECRETS[0] ?? "";
  const token = await createEmailVerificationToken(secret, email, undefined, VERIFICATION_SECONDS);
  const url = `${deps.config.BASE_URL}/verify-email?${new URLSearchParams({ token }).toString()}`;
  await sendVerification(deps, { user: { email }, url, token }, undefined);
}

/** The address in a verification token of Better Auth; undefined when the token is invalid or for another purpose. */
export async function addressToVerify(token: string, secret: string): Promise<string | undefined> {
  const claims = await verifyJWT<Record<string, unknown>>(token, secret);
  if (claims === null || claims["updateTo"] !== undefined || claims["requestType"] !== undefined) return undefined;
  return typeof claims["email"] === "string" ? claims["email"] : undefined;
}

/**
 * A click in the email confirms an address only in the browser where the account's password was entered. Otherwise
 * somebody could open an account with another person's address, have that person confirm it, and sign in. In other
 * browsers the reader chooses a new password.
 */
export function addressProof({ config, browserCookie }: Pick<AuthDeps, "config" | "browserCookie">): BetterAuthPlugin {
  return {
    id: "address-proof",
    hooks: {
      before: [
        {
          matcher: (context) => context.path === "/verify-email",
          handler: createAuthMiddleware(async (ctx) => {
            const { token, browser } = (ctx.query ?? {}) as { token?: unknown; browser?: unknown };
            // Better Auth refuses tokens that are not its own.
            if (typeof token !== "string" || !(await addressToVerify(token, ctx.context.secret))) return;
            const mark = typeof browser === "string" ? browser : undefined;
            if (await isMarked(config.BETTER_AUTH_SECRETS, token, ctx.getCookie(browserCookie), mark)) return;
            throw new APIError("FORBIDDEN", {
              code: "PASSWORD_NEEDED",
              message: "You opened this link in a different browser. For your security, choose a new password.",
            });
          }),
        },
      ],
    },
  };
}
