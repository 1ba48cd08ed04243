import type { Scope } from "../identity/scopes.ts";
import type { Limit } from "../limits/bucket.ts";
import type { Tier } from "../limits/plan.ts";
import type { Quota } from "./record.ts";

/**
 * Why a caller is not admitted. Data, not an exception: each plane maps it to its own answer by an exhaustive switch.
 */
export type AccessRefusal =
  | { kind: "no_credential" }
  | { kind: "several_credentials" }
  | { kind: "credential_in_url" }
  /** `reason` is for the audit log; the caller is told only that the credential is not valid. */
  | {
      kind: "invalid_credential";
      reason: string;
      presented: "access_token" | "api_key";
      /** Set when the token came with a proof of possession. */
      scheme?: "DPoP" | undefined;
    }
  /** What was sent is a credential in the wrong form. `problem` says how to send it, and holds nothing of it. */
  | { kind: "malformed_credential"; problem: string }
  /** The token is bound to a key but came without the DPoP scheme, or the other way round (RFC 9449 §7.1). */
  | { kind: "wrong_token_scheme"; presented: "Bearer" | "DPoP" }
  /** `problem` is for the developer of the client. */
  | { kind: "invalid_dpop_proof"; problem: string }
  | { kind: "insufficient_scope"; required: readonly Scope[] }
  /** The credential has the scope `admin`, but its user is not an administrator now. */
  | { kind: "not_administrator" }
  | { kind: "address_not_allowed" }
  /** The server or tool is not on the credential's list. The caller is told that it does not exist. */
  | { kind: "not_on_list" }
  /** `retryMs` is null when the quota never resets. */
  | { kind: "quota_exceeded"; quota: Quota; retryMs: number | null }
  | { kind: "rate_limited"; tier: Tier | "address"; retryMs: number; limits: readonly LimitState[] };

/** The state of a limit after a call; `remaining` is how many calls could follow immediately. */
export interface LimitState {
  tier: Tier | "address";
  limit: Limit;
  remaining: number;
}

/** The refusal of a key whose quota is used up. `now` is in milliseconds. */
export const usedUp = (quota: Quota, now: number): AccessRefusal => ({
  kind: "quota_exceeded",
  quota,
  retryMs: quota.endsAt === null ? null : Math.max(0, quota.endsAt - now),
});

/** Whether a refusal means too many calls. A caller can repeat such calls without end and at no cost. */
export const isOverLimit = ({ kind }: { kind: string }): boolean =>
  kind === "rate_limited" || kind === "quota_exceeded";
