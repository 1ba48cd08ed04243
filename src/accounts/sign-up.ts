import type { Config } from "../platform/config.ts";

/**
 * Whether somebody may create an account with this address under `SIGN_UP`. The addresses of `ADMIN_EMAILS` always may,
 * so that a new gateway can have its first account.
 */
export function maySignUp(config: Pick<Config, "SIGN_UP" | "ADMIN_EMAILS">, email: string): boolean {
  const address = email.toLowerCase();
  if (config.ADMIN_EMAILS.includes(address)) return true;
  const policy = config.SIGN_UP;
  return policy.kind === "domains" ? mayHold(config, address) : policy.kind === "open";
}

/**
 * Whether an existing account may use this address under `SIGN_UP`. Only the domain counts: its owner has been admitted
 * already, and a refusal must not reveal which addresses are in `ADMIN_EMAILS`.
 */
export function mayHold({ SIGN_UP: policy }: Pick<Config, "SIGN_UP">, email: string): boolean {
  return policy.kind !== "domains" || policy.domains.includes(domainOf(email));
}

const domainOf = (email: string) => email.slice(email.lastIndexOf("@") + 1).toLowerCase();

/** Length of a password in characters. The upper bound keeps a single hash cheap. */
export const PASSWORD_LENGTH = { min: 10, max: 128 } as const;

const MAX_NAME = 100;
/** The length of a path in SMTP without its brackets (RFC 5321 §4.5.3.1.3). */
const MAX_EMAIL = 254;

/** What is wrong with a name or an email address, in words for the person; undefined when nothing is. */
export function userProblem({
  name,
  email,
}: {
  name?: string | undefined;
  email?: string | undefined;
}): string | undefined {
  if (name !== undefined && (name.length > MAX_NAME || /\p{Cc}/u.test(name)))
    return `Choose a name of at most ${MAX_NAME} characters, without control characters.`;
  if (email !== undefined && email.length > MAX_EMAIL)
    return `Use an email address of at most ${MAX_EMAIL} characters.`;
  return undefined;
}
