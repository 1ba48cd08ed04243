import { z } from "zod";
import { parseJson } from "./json.ts";

const limit = z.strictObject({
  perMinute: z.int().min(1).max(100_000_000),
  burst: z.int().min(1).max(10_000_000),
});

/**
 * What may be said of limits, in the setting `LIMITS` and for a tenant: `{"tenant": {"perMinute": 600, "burst": 100}, "tools":
 * {"notes__search": {…}}}`. Tiers that are absent are as by default. `address` counts requests of an
 * address that come to nothing, in each isolate; `guess` keys of an address that do not exist, everywhere.
 */
export const limitSettings = z.strictObject({
  credential: limit.optional(),
  user: limit.optional(),
  tenant: limit.optional(),
  tool: limit.optional(),
  gateway: limit.optional(),
  address: limit.optional(),
  guess: limit.optional(),
  tools: z.record(z.string().min(1).max(128), limit).optional(),
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
