import type { Journal } from "../audit/journal.ts";
import type { LastUses } from "../keys/last-use.ts";
import type { QuotaCount, QuotaCounts } from "../limits/quota.ts";

/** One call with an API key, to be recorded. `at` is in epoch milliseconds. */
export interface Usage {
  keyId: string;
  at: number;
  quota?: QuotaCount | undefined;
}

export interface UsageDeps {
  lastUses: Pick<LastUses, "note">;
  quotaCounts: Pick<QuotaCounts, "note">;
  journal: Pick<Journal, "plan">;
}

/** Collects the use of keys; the journal's next statement writes it to Postgres. */
export const noteUsage =
  ({ lastUses, quotaCounts, journal }: UsageDeps) =>
  ({ keyId, at, quota }: Usage): void => {
    if (quota) quotaCounts.note(quota);
    const isDue = lastUses.note(keyId, at);
    if (isDue || quota) journal.plan();
  };
