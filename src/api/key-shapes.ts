import * as z from "zod";
import { KEY_SCOPES } from "../identity/scopes.ts";
import type { KeyInfo } from "../keys/keys.ts";
import { instant, maybeInstant } from "./shapes.ts";

export const keyParams = z.object({
  id: z
    .string()
    .regex(/^[\w-]{1,100}$/, "is not a valid key id")
    .describe("The id of the key."),
});

const scopes = z.array(z.enum(KEY_SCOPES)).describe("The permissions of the key.");
const texts = z.array(z.string()).nullable();
const rate = z.object({
  perMinute: z.number().describe("Calls per minute, on average."),
  burst: z.number().describe("Burst: calls that may come at the same time."),
});
const quota = z.object({
  max: z.number().describe("Total calls of tools, prompts and resources that are allowed."),
  period: z
    .enum(["month", "total"])
    .describe("The period of the quota: a calendar month (UTC), or the whole life of the key."),
});

export const keyFields = {
  name: z
    .string()
    .meta({ examples: ["Nightly build"] })
    .describe("The name of the key, for people."),
  scopes,
  expiresAt: z.iso.datetime({ offset: true }).nullable().describe("When the key expires (RFC 3339); null: never."),
  servers: texts.describe("Slugs of the servers that the key can use; null: all."),
  tools: texts.describe("Names of the tools that the key can use, as `/mcp` lists them; null: all."),
  addresses: texts.describe("IP addresses and CIDR blocks from which the key can be used; null: from anywhere."),
  rate: rate.nullable().describe("The key's own rate limit; null: only the limits of the organization apply."),
  quota: quota.nullable().describe("The quota of calls; null: unlimited."),
};

export const keyCreation = z.strictObject({
  ...z.object(keyFields).partial().required({ name: true }).shape,
  tenantId: z.string().optional().describe("The organization of the key; it must be the one of your credential."),
  owner: z
    .enum(["user", "organization"])
    .optional()
    .describe("Who owns the key: you, or the organization. Its admins can manage the key even after you leave."),
});

const key = z.object({
  id: z.string().describe("The id of the key; not a secret."),
  start: z.string().describe("The first characters of the key, to tell keys apart."),
  tenantId: z.string().describe("The organization of the key."),
  owner: z.enum(["user", "organization"]).describe("Who owns the key."),
  ...keyFields,
  quota: quota
    .extend({ used: z.number().describe("Calls used so far in this period.") })
    .nullable()
    .describe("The quota of calls; null: unlimited."),
  status: z.enum(["active", "disabled", "locked", "expired", "revoked"]).describe("Only an active key works."),
  createdAt: instant("When it was created."),
  expiresAt: maybeInstant("When it expires; null: never."),
  lastUsedAt: maybeInstant("When it was last used; null: never."),
  disabledUntil: maybeInstant("Until when it is disabled; null: it is not disabled for a limited time."),
  revokedAt: maybeInstant("When it was revoked; null: it was not."),
  revokedReason: z.string().nullable().describe("Why it was revoked."),
  rotatedTo: z.string().nullable().describe("The id of the key that replaced it."),
});
export const shownKey = key.meta({ id: "ApiKey", description: "An API key, without its secret value." });
export const createdKey = key
  .extend({ key: z.string().describe("The secret value of the key. It is shown only in this answer.") })
  .meta({ id: "CreatedApiKey", description: "An API key with its secret value." });

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
