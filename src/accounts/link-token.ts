import { z } from "zod";
import { sha256 } from "../platform/crypto.ts";
import { signed } from "../platform/signed.ts";

const state = z.string();

/** What a link in an email lets its reader do, once. Nothing of it is stored. `state` is {@link accountState} when the email was sent. */
export const resetLink = signed("link.reset", z.object({ userId: z.string(), state }));

/** The same for a link that gives the account another address. */
export const addressLink = signed("link.address", z.object({ userId: z.string(), address: z.string(), state }));

/**
 * Changes with the address and the password of an account, and tells nothing about them: stored passwords are salted. A link works as long
 * as this is the state that it was made with: using it once ends it.
 */
export const accountState = (account: { email: string; password: string | null }) =>
  sha256(["state", account.email, account.password ?? ""].join("\n"));
