import { APIError } from "better-auth/api";
import { findAccount, type Account } from "../../accounts/accounts.ts";
import type { AuthDeps } from "../deps.ts";
import { tooManyTries } from "./login-backoff.ts";
import { PASSWORD_LENGTH } from "../../accounts/sign-up.ts";
import { clearTries, takeTry } from "../../accounts/password-tries.ts";

type VerifyPassword = (input: { hash: string; password: string }) => Promise<boolean>;

/**
 * The account of a person who is signed in, after they entered its password: an unattended session must not be enough
 * for changes that take an account away. Tries are slowed down as at sign-in, in a bucket of their own.
 */
export async function accountWithPassword(
  { db, redis, background }: Pick<AuthDeps, "db" | "redis" | "background">,
  verify: VerifyPassword,
  userId: string,
  password: string,
): Promise<Account> {
  const bucket = `own:${userId}`;
  const wait = await takeTry({ redis, db }, bucket, Date.now());
  if (wait > 0) throw tooManyTries(wait);
  const account = await findAccount(db, { id: userId });
  if (!account) throw new APIError("UNAUTHORIZED", { code: "UNAUTHORIZED", message: "Unauthorized" });
  const { password: hash } = account;
  if (hash === null || password.length > PASSWORD_LENGTH.max || !(await verify({ hash, password })))
    throw new APIError("BAD_REQUEST", { code: "INVALID_PASSWORD", message: "Invalid password" });
  background(clearTries({ redis, db }, bucket));
  return account;
}
