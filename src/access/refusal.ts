import type { Scope } from "../identity/scopes.ts";
import type { Limit } from "../limits/bucket.ts";
import type { Tier } from "../limits/plan.ts";
import type { Quota } from "./record.ts";

/** Why a caller is not let in. Data, not an exception: each plane maps it to its own kind of answer by an exhaustive switch. */
export type AccessRefusal =
  | { kind: "no_credential" }
  | { kind: "several_credentials" }
  | { kind: "credential_in_url" }
  /** `reason` is for the audit log; the caller is told only that the credential is not valid. */
  | {
      kind: "invalid_credential";
      reason: string;
      presented: "access_token" | "api_key";
      /** When the token came with a proof of possession. */
      scheme?: "DPoP" | undefined;
    }
  /** The token is bound to a key and came without the DPoP scheme, or is not and came with it (RFC 9449 §7.1). */
  | { kind: "wrong_token_scheme"; presented: "Bearer" | "DPoP" }
  /** `problem` is for the developer of the client. */
  | { kind: "invalid_dpop_proof"; problem: string }
  | { kind: "insufficient_scope"; required: readonly Scope[] }
  /** The scope says that they were an administrator once; the role says that they are not. */
  | { kind: "not_administrator" }
  | { kind: "address_not_allowed" }
  /** The server or tool is not on the credential's list: as good as unknown. */
  | { kind: "not_on_list" }
  /** `retryMs` is null when the quota does not begin again. */
  | { kind: "quota_exceeded"; quota: Quota; retryMs: number | null }
  | { kind: "rate_limited"; tier: Tier | "address"; retryMs: number; limits: readonly LimitState[] };

/** What a limit says after a call; `remaining` are calls that could be made at once. */
export interface LimitState {
  tier: Tier | "address";
  limit: Limit;
  remaining: number;
}

/** The refusal of a key that has used its quota up. `now` is in milliseconds. */
export const usedUp = (quota: Quota, now: number): AccessRefusal => ({
  kind: "quota_exceeded",
  quota,
  retryMs: quota.endsAt === null ? null : Math.max(0, quota.endsAt - now),
});

/** Whether a caller asks too much rather than something wrong: going on costs it nothing, so this can come without end. */
export const isOverLimit = ({ kind }: { kind: string }): boolean =>
  kind === "rate_limited" || kind === "quota_exceeded";
