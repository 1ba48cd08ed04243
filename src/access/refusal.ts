import type { Scope } from "../auth/scopes.ts";

/** Why a caller is not let in. Data, not an exception: each plane maps it to its own kind of answer by an exhaustive switch. */
export type AccessRefusal =
  | { kind: "no_credential" }
  | { kind: "several_credentials" }
  | { kind: "credential_in_url" }
  /** `reason` is for the audit log; the caller is told only that the credential is not valid. */
  | { kind: "invalid_credential"; reason: string; presented: "access_token" | "api_key" }
  | { kind: "insufficient_scope"; required: readonly Scope[] };
