import * as z from "zod";
import { checkKey } from "../access/verification/key-check.ts";
import { ALL_SCOPES, KEY_SCOPES } from "../identity/scopes.ts";
import { route } from "./deps.ts";
import { maybeInstant } from "./shapes.ts";

const texts = z.array(z.string()).nullable();

const good = z.object({
  active: z.literal(true).describe("The key is valid."),
  keyId: z.string().describe("The id of the key."),
  name: z.string().nullable().describe("The name of the key, for people."),
  userId: z.string().nullable().describe("The id of the key's owner; null: the organization owns it."),
  tenantId: z.string().describe("The organization of the key."),
  scopes: z.array(z.enum(ALL_SCOPES)).describe("The permissions of the key."),
  expiresAt: maybeInstant("When it expires; null: never."),
  servers: texts.describe("Slugs of the servers that the key can use; null: all. You must enforce this."),
  tools: texts.describe(
    "Names of the tools that the key can use, as `/mcp` lists them; null: all. You must enforce this.",
  ),
});

/**
 * Tells a server of the caller's tenant whether an API key of that tenant is valid now, from the given address.
 * The answer is the same for all keys that are not. The call counts against the caller's limits, not the key's.
 */
export const verifyApiKey = route({
  method: "post",
  path: "/api/v1/keys/verify",
  id: "verifyApiKey",
  tag: "API keys",
  summary: "Check whether an API key of your organization is valid, and get its permissions",
  who: { scopes: ["keys:verify"] },
  in: {
    body: z.strictObject({
      key: z.string().max(8_192).describe("The whole key."),
      scopes: z.array(z.enum(KEY_SCOPES)).default([]).describe("Scopes that the key must have."),
      address: z
        .string()
        .max(64)
        .optional()
        .describe(
          "The IP address from which the key was used. A key that is limited to some addresses is valid only from those.",
        ),
    }),
  },
  out: z.discriminatedUnion("active", [
    good,
    z.object({ active: z.literal(false).describe("The key is not valid, for any reason.") }),
  ]),
  handle: async ({ deps, caller, input: { body } }) => {
    const { key, scopes, address = null } = body;
    const now = deps.now();
    const check = { db: deps.databases.write, acceptsLegacyKeys: deps.acceptsLegacyKeys };
    const known = await checkKey(check, { key, scopes, address, tenantId: caller.tenantId }, now);
    if (!known) return { active: false as const };
    deps.used({ keyId: known.keyId, at: now });
    const { expiresAt, ...rest } = known;
    return { active: true as const, ...rest, expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString() };
  },
});
