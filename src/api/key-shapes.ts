import * as z from "zod";
import { KEY_SCOPES } from "../identity/scopes.ts";
import type { KeyInfo } from "../keys/keys.ts";
import { instant, maybeInstant } from "./shapes.ts";

export const keyParams = z.object({
  id: z
    .string()
    .regex(/^[\w-]{1,100}$/, "is not the id of a key")
    .describe("The id of the key."),
});

const scopes = z.array(z.enum(KEY_SCOPES)).describe("What the key may do.");
const texts = z.array(z.string()).nullable();
const rate = z.object({
  perMinute: z.number().describe("Calls in a minute, in the long run."),
  burst: z.number().describe("Calls at once."),
});
const quota = z.object({
  max: z.number().describe("How many calls of tools, prompts and resources the key is good for."),
  period: z.enum(["month", "total"]).describe("For how long: a calendar month (UTC), or for good."),
});

export const keyFields = {
  name: z
    .string()
    .meta({ examples: ["Nightly build"] })
    .describe("What people call the key."),
  scopes,
  expiresAt: z.iso.datetime({ offset: true }).nullable().describe("When the key ends (RFC 3339); null: never."),
  servers: texts.describe("Slugs of the servers that the key may use; null: all of them."),
  tools: texts.describe("Names of tools as `/mcp` shows them; null: all of them."),
  addresses: texts.describe("IP addresses and CIDR blocks that calls may come from; null: from anywhere."),
  rate: rate.nullable().describe("A limit of the key's own; null: the organization's."),
  quota: quota.nullable().describe("How many calls it is good for; null: unlimited."),
};

export const keyCreation = z.strictObject({
  ...z.object(keyFields).partial().required({ name: true }).shape,
  tenantId: z.string().optional().describe("Where the key acts: the organization of your credential."),
  owner: z
    .enum(["user", "organization"])
    .optional()
    .describe("Whose the key is: yours, or the organization's, whose administrators manage it even after you leave."),
});

const key = z.object({
  id: z.string().describe("The id of the key; not a secret."),
  start: z.string().describe("The beginning of the key, to tell keys apart."),
  tenantId: z.string().describe("The organization that the key acts in."),
  owner: z.enum(["user", "organization"]).describe("Whose the key is."),
  ...keyFields,
  quota: quota
    .extend({ used: z.number().describe("Calls made so far in this period.") })
    .nullable()
    .describe("How many calls it is good for; null: unlimited."),
  status: z.enum(["active", "disabled", "locked", "expired", "revoked"]).describe("Only an active key works."),
  createdAt: instant("When it was created."),
  expiresAt: maybeInstant("When it ends; null: never."),
  lastUsedAt: maybeInstant("When it was last used; null: never."),
  disabledUntil: maybeInstant("When it works again; null: it is not disabled for a time."),
  revokedAt: maybeInstant("When it was revoked; null: it was not."),
  revokedReason: z.string().nullable().describe("Why it was revoked."),
  rotatedTo: z.string().nullable().describe("The id of the key that took its place."),
});
export const shownKey = key.meta({ id: "ApiKey", description: "An API key, without the key itself." });
export const createdKey = key
  .extend({ key: z.string().describe("The key itself. It is in this answer only.") })
  .meta({ id: "CreatedApiKey", description: "An API key with the key itself." });

const iso = (at: Date | null) => at?.toISOString() ?? null;

/** A key as answers show it. */
export function shown(info: KeyInfo): z.infer<typeof shownKey> {
  return {
    ...info,
    createdAt: info.createdAt.toISOString(),
    expiresAt: iso(info.expiresAt),
    lastUsedAt: iso(info.lastUsedAt),
    disabledUntil: iso(info.disabledUntil),
    revokedAt: iso(info.revokedAt),
  };
}
