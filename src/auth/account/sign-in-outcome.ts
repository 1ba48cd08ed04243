/** How somebody signs in: with a password, or the id of a provider. */
export type SignInMethod = string;

const PASSWORD_PATHS = ["/sign-in/email", "/sign-up/email"];
const CALLBACK = "/callback/:id";

/** The endpoints at which a sign-in is refused. */
export const isSignIn = (path: string | undefined): boolean => path === "/sign-in/email" || path === CALLBACK;

/**
 * By which method an endpoint of the framework opens an account or a session; undefined when it is no sign-in: a session that is renewed
 * after a change of the account, or an administrator who acts for somebody.
 */
export function signInMethod(path: string | undefined, provider: unknown): SignInMethod | undefined {
  if (path !== undefined && PASSWORD_PATHS.includes(path)) return "password";
  return path === CALLBACK && typeof provider === "string" ? provider : undefined;
}

/** Codes of the audit log for the framework's refusals. What is not here was no attempt to sign in, but a malformed request. */
const PASSWORD_REFUSALS: Readonly<Record<string, string>> = {
  EMAIL_NOT_VERIFIED: "unverified",
  BANNED_USER: "banned",
  FAILED_TO_CREATE_SESSION: "failed",
};

/** Why a sign-in with a password was refused, for the audit log only: the caller must not learn whether there is an account. */
export function passwordRefusal(code: unknown, hasAccount: boolean): string | undefined {
  if (code === "INVALID_EMAIL_OR_PASSWORD") return hasAccount ? "wrong_password" : "unknown_account";
  return typeof code === "string" && Object.hasOwn(PASSWORD_REFUSALS, code) ? PASSWORD_REFUSALS[code] : undefined;
}

/** What a callback may say in its redirect. Providers, and whoever writes the address, may say anything else. */
const PROVIDER_REFUSALS: Readonly<Record<string, string>> = {
  access_denied: "denied_at_provider",
  account_not_linked: "account_not_linked",
  banned_user: "banned",
  email_not_found: "no_address",
  email_not_verified: "unverified",
  invalid_code: "invalid_code",
  invalid_user: "invalid_user",
  please_restart_the_process: "state_mismatch",
  sign_up_closed: "sign_up_closed",
  signup_disabled: "sign_up_closed",
  state_mismatch: "state_mismatch",
  state_not_found: "state_mismatch",
  unable_to_get_user_info: "invalid_token",
};

/** Why a sign-in with a provider was refused, from the address that its callback redirects to; undefined when it was not. */
export function providerRefusal(location: string | null | undefined, origin: string): string | undefined {
  const target = URL.parse(location ?? "", origin);
  const error = target?.searchParams.get("error")?.toLowerCase();
  if (error === undefined) return undefined;
  return Object.hasOwn(PROVIDER_REFUSALS, error) ? PROVIDER_REFUSALS[error] : "provider_error";
}
