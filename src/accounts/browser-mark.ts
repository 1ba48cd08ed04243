import { hasMark, mark } from "../platform/signed.ts";

/**
 * Ties the link of a mail to the browser in which somebody has just entered the password of the account: only there may a click alone
 * confirm the address. Whoever opened an account with the address of another cannot make a mark for the other's browser.
 */
export const markOf = (secrets: readonly string[], token: string, browserCookie: string) =>
  mark(secrets, "browser", [token, browserCookie]);

/** Whether this browser is the one that the link was made for. */
export async function isMarked(
  secrets: readonly string[],
  token: string,
  browserCookie: string | null | undefined,
  given: string | null | undefined,
): Promise<boolean> {
  if (!browserCookie || !given) return false;
  return hasMark(secrets, "browser", [token, browserCookie], [given]);
}
