import type { Admitted } from "../access/admission/admission.ts";
import type { LimitState } from "../access/refusal.ts";
import { windowSeconds, type Limit } from "../limits/bucket.ts";

type LimitHeaders = Record<string, string>;

/**
 * Headers with the state of the caller's limits (draft-ietf-httpapi-ratelimit-headers): calls left, and seconds until
 * all are back.
 */
export function limitHeaders({ limits, quotaLeft, isDegraded }: Pick<Admitted, "limits" | "quotaLeft" | "isDegraded">) {
  const headers = headersOf(limits, quotaLeft);
  // While limits are counted in one isolate, the numbers would not include the calls of other isolates.
  return isDegraded ? {} : headers;
}

/** The same headers for a refusal, with the seconds after which to try again. */
export const refusalHeaders = (limits: readonly LimitState[], retrySeconds: number): LimitHeaders => ({
  ...headersOf(limits, undefined),
  "retry-after": String(retrySeconds),
});

function headersOf(limits: readonly LimitState[], quotaLeft: number | undefined): LimitHeaders {
  if (limits.length === 0) return {};
  const states = limits.map(
    ({ tier, limit, remaining }) => `"${tier}";r=${remaining};t=${secondsToFull(limit, remaining)}`,
  );
  const policies = limits.map(({ tier, limit }) => `"${tier}";q=${limit.burst};w=${windowSeconds(limit)}`);
  if (quotaLeft !== undefined) states.push(`"quota";r=${quotaLeft}`);
  return { ratelimit: states.join(", "), "ratelimit-policy": policies.join(", ") };
}

const secondsToFull = ({ perMinute, burst }: Limit, remaining: number) =>
  Math.ceil((Math.max(0, burst - remaining) * 60) / perMinute);
