import type { Config } from "../platform/config.ts";

/** Whether an address may open an account under `SIGN_UP`. Administrators' addresses always may: they have to start somewhere. */
export function maySignUp(config: Pick<Config, "SIGN_UP" | "ADMIN_EMAILS">, email: string): boolean {
  const address = email.toLowerCase();
  if (config.ADMIN_EMAILS.includes(address)) return true;
  const policy = config.SIGN_UP;
  return policy.kind === "domains" ? mayHold(config, address) : policy.kind === "open";
}

/**
 * Whether an account may take an address under `SIGN_UP`. Only the domain counts: whoever has an account has been let in, and a list of
 * administrators must not show by what is refused.
 */
export function mayHold({ SIGN_UP: policy }: Pick<Config, "SIGN_UP">, email: string): boolean {
  return policy.kind !== "domains" || policy.domains.includes(domainOf(email));
}

const domainOf = (email: string) => email.slice(email.lastIndexOf("@") + 1).toLowerCase();

/** Characters of a password; the upper bound keeps a single hash cheap. */
export const PASSWORD_LENGTH = { min: 10, max: 128 } as const;

const MAX_NAME = 100;
/** Of a path in SMTP without its brackets (RFC 5321 §4.5.3.1.3). */
const MAX_EMAIL = 254;

/** What keeps a name or an address out of the accounts table, in words for the person, or undefined. */
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
    return `Use an e-mail address of at most ${MAX_EMAIL} characters.`;
  return undefined;
}
