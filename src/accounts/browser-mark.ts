import { hasMark, mark } from "../platform/signed.ts";

/**
 * Binds the link in an email to the browser in which the password of the account has just been entered. Only in that
 * browser does a click alone confirm the address. Somebody who creates an account with another person's address cannot
 * produce a mark for that person's browser.
 */
export const markOf = (secrets: readonly string[], token: string, browserCookie: string) =>
  mark(secrets, "browser", [token, browserCookie]);

/** Whether this is the browser that the link was created for. */
export async function isMarked(
  secrets: readonly string[],
  token: string,
  browserCookie: string | null | undefined,
  given: string | null | undefined,
): Promise<boolean> {
  if (!browserCookie || !given) return false;
  return hasMark(secrets, "browser", [token, browserCookie], [given]);
}
