import { z } from "zod";
import { parseJson } from "./json.ts";

const limit = z.strictObject({
  perMinute: z.int().min(1).max(100_000_000).describe("Calls per minute, on average."),
  burst: z.int().min(1).max(10_000_000).describe("Burst: calls that may come at the same time."),
});

/**
 * Limits, as in the setting `LIMITS` and for a tenant: `{"tenant": {"perMinute": 600, "burst": 100}, "tools":
 * {"notes__search": {…}}}`. Absent tiers have the default. `address` counts failed requests of an address, per isolate;
 * `guess` counts unknown keys from an address, in all isolates.
 */
export const limitSettings = z.strictObject({
  credential: limit.optional().describe("Limit of each API key and each grant."),
  user: limit.optional().describe("Limit of each person."),
  tenant: limit.optional().describe("Limit of the organization."),
  tool: limit.optional().describe("Limit of each tool."),
  gateway: limit.optional().describe("Limit of the whole gateway."),
  address: limit.optional().describe("Limit of failed requests from an address."),
  guess: limit.optional().describe("Limit of unknown keys from an address."),
  tools: z.record(z.string().min(1).max(128), limit).optional().describe("Limits of individual tools, by name."),
});

export type LimitSettings = z.infer<typeof limitSettings>;

/** The setting `LIMITS`: the same as JSON text. */
export const limitsSetting = z.string().transform((text, context): LimitSettings => {
  const parsed = limitSettings.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue?.path.join(".") ?? "";
  context.addIssue(
    `must be JSON such as {"tenant": {"perMinute": 600, "burst": 100}}${place === "" ? "" : `; check ${place}`}`,
  );
  return z.NEVER;
});
