import { sql, type SQL } from "drizzle-orm";
import type { Companion } from "../audit/journal.ts";
import { boundedMap } from "../platform/bounded-map.ts";
import { quotaUse } from "./schema.ts";

/** How many calls a chain of keys has used in a period (`2026-11` or `total`), this call included. */
export interface QuotaCount {
  chainId: string;
  period: string;
  used: number;
}

const MAX_CHAINS = 5_000;

/** Counts of Redis that are not in Postgres yet, the latest of each chain. */
export interface QuotaCounts extends Companion {
  note: (count: QuotaCount) => void;
}

/** Collects counts in this isolate. Writing one never lowers a higher count in Postgres. */
export function quotaCounts(): QuotaCounts {
  const newCounts = () => boundedMap<QuotaCount>(MAX_CHAINS);
  let counts = newCounts();

  /** Calls may arrive out of order. Of one period the highest count is kept; of two periods the later. */
  function note(count: QuotaCount): void {
    const known = counts.get(count.chainId);
    const isNewer = !known || (known.period === count.period ? known.used < count.used : known.period < count.period);
    if (isNewer) counts.set(count.chainId, count);
  }

  return {
    note,
    take: () => {
      if (counts.size === 0) return undefined;
      const taken = [...counts.entries()].map(([, count]) => count);
      counts = newCounts();
      return { write: raiseCounts(taken), giveBack: () => taken.forEach(note) };
    },
  };
}

const raiseCounts = (counts: readonly QuotaCount[]): SQL => {
  const rows = counts.map(({ chainId, period, used }) => ({ chain_id: chainId, period, used }));
  return sql`
    insert into ${quotaUse} as q (chain_id, period, used)
    select chain_id, period, used from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as u(chain_id text, period text, used bigint)
    on conflict (chain_id, period) do update set used = greatest(q.used, excluded.used)`;
};

/**
 * SQL: takes one call from a quota in Postgres, where Redis cannot count. Returns a row, or none when the quota is used
 * up. `used` is the count that was read; Postgres decides by its own count.
 */
export const takeFromQuota = ({ chainId, period, used, max }: QuotaCount & { max: number }): SQL =>
  sql`insert into ${quotaUse} as q (chain_id, period, used) select ${chainId}, ${period}, ${used + 1}::bigint
    where ${used}::bigint < ${max}::bigint
    on conflict (chain_id, period) do update set used = q.used + 1 where q.used < ${max}::bigint returning used`;
