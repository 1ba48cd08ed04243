/** How a person signs in: `password`, or the id of an identity provider. */
export type SignInMethod = string;

const PASSWORD_PATHS = ["/sign-in/email", "/sign-up/email"];
const CALLBACK = "/callback/:id";

/** Whether a path is an endpoint that can refuse a sign-in. */
export const isSignIn = (path: string | undefined): boolean => path === "/sign-in/email" || path === CALLBACK;

/**
 * The method by which an endpoint of the framework opens an account or a session. Undefined when it is not a sign-in: a
 * session renewed after a change of the account, or an administrator who acts for a person.
 */
export function signInMethod(path: string | undefined, provider: unknown): SignInMethod | undefined {
  if (path !== undefined && PASSWORD_PATHS.includes(path)) return "password";
  return path === CALLBACK && typeof provider === "string" ? provider : undefined;
}

/** The audit log's codes for the framework's refusals. Other refusals are of malformed requests, not of sign-ins. */
const PASSWORD_REFUSALS: Readonly<Record<string, string>> = {
  EMAIL_NOT_VERIFIED: "unverified",
  BANNED_USER: "banned",
  FAILED_TO_CREATE_SESSION: "failed",
};

/**
 * Why a sign-in with a password was refused, for the audit log only: the caller must not learn whether the account
 * exists.
 */
export function passwordRefusal(code: unknown, hasAccount: boolean): string | undefined {
  if (code === "INVALID_EMAIL_OR_PASSWORD") return hasAccount ? "wrong_password" : "unknown_account";
  return typeof code === "string" && Object.hasOwn(PASSWORD_REFUSALS, code) ? PASSWORD_REFUSALS[code] : undefined;
}

/**
 * The known error codes in a callback's redirect. Providers, and anybody who opens the callback, can send other ones.
 */
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

/** Why a sign-in with a provider was refused, from the redirect of its callback; undefined when it was not refused. */
export function providerRefusal(location: string | null | undefined, origin: string): string | undefined {
  const target = URL.parse(location ?? "", origin);
  const error = target?.searchParams.get("error")?.toLowerCase();
  if (error === undefined) return undefined;
  return Object.hasOwn(PROVIDER_REFUSALS, error) ? PROVIDER_REFUSALS[error] : "provider_error";
}
