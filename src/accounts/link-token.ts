import { z } from "zod";
import { sha256 } from "../platform/crypto.ts";
import { signed } from "../platform/signed.ts";

const state = z.string();

/**
 * The token of a link that resets a password. It works once, and nothing of it is stored: `state` is the
 * {@link accountState} at the time the email was sent.
 */
export const resetLink = signed("link.reset", z.object({ userId: z.string(), state }));

/** The same for a link that changes the address of an account. */
export const addressLink = signed("link.address", z.object({ userId: z.string(), address: z.string(), state }));

/**
 * A hash that changes with the address and the password of an account. It reveals neither: stored passwords are salted.
 * A link works only while the account is in the state that the link was created with, so using it once ends it.
 */
export const accountState = (account: { email: string; password: string | null }) =>
  sha256(["state", account.email, account.password ?? ""].join("\n"));
