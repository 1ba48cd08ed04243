import { isDeepStrictEqual } from "node:util";
import type { NewKey } from "./key-mapping.ts";

/**
 * Merges several old rows of the same key: the first row, with the strictest of each setting. The key works only if
 * every row works. `rows` is not empty.
 */
export function mergeDuplicates(rows: readonly [NewKey, ...NewKey[]]): NewKey {
  const [first, ...others] = rows;
  if (others.length === 0) return first;
  const notes = [...new Set(rows.flatMap((row) => row.notes))];
  if (others.some((other) => !isDeepStrictEqual(settings(other), settings(first))))
    notes.push("the rows of this key differ: the stricter settings were taken");
  if (others.some(({ userId }) => userId !== first.userId))
    notes.push(`the rows of this key have several owners: ${first.userId} keeps it`);
  const rates = rows.toSorted((a, b) => (a.perMinute ?? Infinity) - (b.perMinute ?? Infinity));
  const [quota = first] = rows.toSorted((a, b) => quotaRank(a) - quotaRank(b) || (a.quotaMax ?? 0) - (b.quotaMax ?? 0));
  return {
    ...first,
    enabled: rows.every(({ enabled }) => enabled),
    expiresAt: smallest(rows.map(({ expiresAt }) => expiresAt)),
    revokedAt: smallest(rows.map(({ revokedAt }) => revokedAt)),
    disabledUntil: largest(rows.map(({ disabledUntil }) => disabledUntil)),
    ...sharedScopes(rows),
    perMinute: rates[0]?.perMinute ?? null,
    burst: smallest(rows.map(({ burst }) => burst)),
    quotaMax: quota.quotaMax,
    quotaPeriod: quota.quotaPeriod,
    notes,
  };
}

const settings = (key: NewKey) => [
  [key.enabled, key.expiresAt, key.revokedAt, key.disabledUntil, key.scopes],
  [key.perMinute, key.burst, key.quotaMax, key.quotaPeriod],
];

/** A total quota is stricter than a monthly one, whatever the numbers: it does not refill. */
const quotaRank = ({ quotaPeriod }: NewKey) => (quotaPeriod === "total" ? 0 : quotaPeriod === "month" ? 1 : 2);

/** The scopes that all rows with named scopes have in common; the default if no row names any. */
function sharedScopes(rows: readonly NewKey[]): Pick<NewKey, "scopes" | "named"> {
  const named = rows.filter((row) => row.named);
  const [first] = named;
  if (!first) return { scopes: rows[0]?.scopes ?? [], named: false };
  return { scopes: first.scopes.filter((scope) => named.every(({ scopes }) => scopes.includes(scope))), named: true };
}

function smallest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.min(...known);
}

function largest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
}
