import { equalsInConstantTime, hmac } from "../platform/crypto.ts";

/**
 * Ties the link of a mail to the browser in which somebody has just entered the password of the account: only there may a click alone
 * confirm the address. Whoever opened an account with the address of another cannot make a mark for the other's browser.
 */
export const markOf = (secret: string, token: string, browserCookie: string) =>
  hmac(secret, ["browser", token, browserCookie].join("\n"));

/** Whether this browser is the one that the link was made for. */
export async function isMarked(
  secrets: readonly string[],
  token: string,
  browserCookie: string | null | undefined,
  mark: string | null | undefined,
): Promise<boolean> {
  if (!browserCookie || !mark) return false;
  for (const secret of secrets) {
    if (equalsInConstantTime(mark, await markOf(secret, token, browserCookie))) return true;
  }
  return false;
}
