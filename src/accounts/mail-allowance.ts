import type { SecondaryStorage } from "@better-auth/core/db";
import type { Config } from "../platform/config.ts";
import { addressHash } from "./password-tries.ts";

/** Emails per hour to one address, for each reason, when the caller has not proved that the address is theirs. */
const MAILS_AN_HOUR = { reset: 3, verification: 5, address: 3 };

/**
 * Counts an email to an address and returns whether it may be sent. The caller must not be told: addresses without an
 * account are counted too, and a full counter would reveal that somebody else has asked.
 */
export async function mayMail(
  { config, storage }: { config: Pick<Config, "BETTER_AUTH_SECRETS">; storage: Pick<SecondaryStorage, "increment"> },
  reason: keyof typeof MAILS_AN_HOUR,
  address: string,
): Promise<boolean> {
  const counter = `mails:${reason}:${await addressHash(config.BETTER_AUTH_SECRETS, address)}`;
  return (await storage.increment(counter, 3600)) <= MAILS_AN_HOUR[reason];
}
