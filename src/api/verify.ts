import * as z from "zod";
import { checkKey } from "../access/verification/key-check.ts";
import { ALL_SCOPES, KEY_SCOPES } from "../identity/scopes.ts";
import { route } from "./deps.ts";
import { maybeInstant } from "./shapes.ts";

const texts = z.array(z.string()).nullable();

const good = z.object({
  active: z.literal(true).describe("The key is good."),
  keyId: z.string().describe("The id of the key."),
  name: z.string().nullable().describe("What people call the key."),
  userId: z.string().nullable().describe("Null: the key belongs to the organization."),
  tenantId: z.string().describe("The organization that the key acts in."),
  scopes: z.array(z.enum(ALL_SCOPES)).describe("What the key may do."),
  expiresAt: maybeInstant("When it ends; null: never."),
  servers: texts.describe("Slugs of the servers that the key may use; null: all of them. To enforce it is yours."),
  tools: texts.describe("Names of tools as `/mcp` shows them; null: all of them. To enforce it is yours."),
});

/**
 * Tells a server of the caller's tenant whether an API key of that tenant is good here and now (R16). All keys that are not are the same
 * answer. Counts against the caller's limits, not the key's.
 */
export const verifyApiKey = route({
  method: "post",
  path: "/api/v1/keys/verify",
  id: "verifyApiKey",
  tag: "API keys",
  summary: "Whether an API key of your organization is good, and for what",
  who: { scopes: ["keys:verify"] },
  in: {
    body: z.strictObject({
      key: z.string().max(8_192).describe("The whole key."),
      scopes: z.array(z.enum(KEY_SCOPES)).default([]).describe("Scopes that the key must hold."),
      address: z
        .string()
        .max(64)
        .optional()
        .describe("Where the key was presented from; a key that is held to some addresses is good from nowhere else."),
    }),
  },
  out: z.discriminatedUnion("active", [
    good,
    z.object({ active: z.literal(false).describe("The key is not good, for whatever reason.") }),
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
