import { base64url, equalsInConstantTime, hmac, sha256 } from "../platform/crypto.ts";

/** What a link in a mail lets its reader do, once. Nothing of it is stored. */
export interface LinkClaims {
  purpose: "reset" | "address";
  userId: string;
  /** The address that an account is to get; null where the link is about something else. */
  address: string | null;
  /** Epoch milliseconds. */
  expiresAt: number;
  /** {@link accountState} when the mail was sent. The link works as long as that is the state: using it once ends it. */
  state: string;
}

const TOKEN = /^([\w-]{1,2048})\.([\w-]{43})$/;

/** The token of a link: its claims in base64url and an HMAC-SHA-256 under the newest secret. */
export async function issueLinkToken(secrets: readonly string[], claims: LinkClaims): Promise<string> {
  const payload = base64url(new TextEncoder().encode(JSON.stringify(claims)));
  return `${payload}.${await mac(secrets[0] ?? "", payload)}`;
}

/** The claims of a token that is ours, for this purpose and not expired, else undefined. `now` is in milliseconds. */
export async function readLinkToken(
  secrets: readonly string[],
  purpose: LinkClaims["purpose"],
  token: string,
  now: number,
): Promise<LinkClaims | undefined> {
  const [, payload, given] = TOKEN.exec(token) ?? [];
  if (payload === undefined || given === undefined) return undefined;
  for (const secret of secrets) {
    if (!equalsInConstantTime(given, await mac(secret, payload))) continue;
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as LinkClaims;
    return claims.purpose === purpose && now < claims.expiresAt ? claims : undefined;
  }
  return undefined;
}

/** Changes with the address and the password of an account, and tells nothing about them: stored passwords are salted. */
export const accountState = (account: { email: string; password: string | null }) =>
  sha256(["state", account.email, account.password ?? ""].join("\n"));

const mac = (secret: string, payload: string) => hmac(secret, `link\n${payload}`);
