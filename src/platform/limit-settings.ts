import { z } from "zod";
import { parseJson } from "./json.ts";

const limit = z.strictObject({
  perMinute: z.int().min(1).max(100_000_000).describe("Calls in a minute, in the long run."),
  burst: z.int().min(1).max(10_000_000).describe("Calls at once."),
});

/**
 * What may be said of limits, in the setting `LIMITS` and for a tenant: `{"tenant": {"perMinute": 600, "burst": 100}, "tools":
 * {"notes__search": {…}}}`. Tiers that are absent are as by default. `address` counts requests of an
 * address that come to nothing, in each isolate; `guess` keys of an address that do not exist, everywhere.
 */
export const limitSettings = z.strictObject({
  credential: limit.optional().describe("Of each API key and each grant."),
  user: limit.optional().describe("Of each person."),
  tenant: limit.optional().describe("Of the organization."),
  tool: limit.optional().describe("Of each tool."),
  gateway: limit.optional().describe("Of the whole gateway."),
  address: limit.optional().describe("Of requests of an address that come to nothing."),
  guess: limit.optional().describe("Of keys of an address that do not exist."),
  tools: z.record(z.string().min(1).max(128), limit).optional().describe("Of single tools, by their names."),
});

export type LimitSettings = z.infer<typeof limitSettings>;

/** The setting `LIMITS`: the same as JSON text. */
export const limitsSetting = z.string().transform((text, context): LimitSettings => {
  const parsed = limitSettings.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue?.path.join(".") ?? "";
  context.addIssue(
    `must be JSON such as {"tenant": {"perMinute": 600, "burst": 100}}${place === "" ? "" : `; look at ${place}`}`,
  );
  return z.NEVER;
});
