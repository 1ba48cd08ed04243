import type { SecondaryStorage } from "@better-auth/core/db";
import type { Config } from "../platform/config.ts";
import { addressHash } from "./password-tries.ts";

/** Mails that a stranger can have us send to one address, for each reason. */
const MAILS_AN_HOUR = { reset: 3, verification: 5, address: 3 };

/**
 * Whether another mail may go to an address, and counts it. Whoever asks is not told: the counter is the same for addresses without an
 * account, and a full one must not show that somebody else asked.
 */
export async function mayMail(
  { config, storage }: { config: Pick<Config, "BETTER_AUTH_SECRETS">; storage: Pick<SecondaryStorage, "increment"> },
  reason: keyof typeof MAILS_AN_HOUR,
  address: string,
): Promise<boolean> {
  const counter = `mails:${reason}:${await addressHash(config.BETTER_AUTH_SECRETS, address)}`;
  return (await storage.increment(counter, 3600)) <= MAILS_AN_HOUR[reason];
}
