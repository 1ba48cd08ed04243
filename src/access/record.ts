import type { Scope } from "../identity/scopes.ts";
import type { Plan } from "../limits/plan.ts";
import type { AddressRange } from "../platform/ip.ts";

/**
 * What a call needs to know of a credential, the same for an API key and an OAuth grant. Kept in Redis without the credential itself, as
 * `version|tenant epoch|user epoch|works or ended|quota's period|JSON`; an isolate keeps what it has read, and each call asks Redis whether that is still so.
 */
export interface CredentialRecord {
  kind: "api_key" | "grant";
  /** The key's id, or the grant's. */
  id: string;
  name: string | null;
  /** What rate and quota are counted by: rotated keys share them. */
  chainId: string;
  userId: string;
  tenantId: string;
  /** Null: as the token says. */
  scopes: Scope[] | null;
  isAdministrator: boolean;
  /** Enabled, not revoked, of somebody who is here, not banned and in the tenant. */
  works: boolean;
  /** Epoch milliseconds; null: does not expire. */
  expiresAt: number | null;
  disabledUntil: number | null;
  /** Null lists allow everything. */
  addresses: AddressRange[] | null;
  servers: string[] | null;
  tools: string[] | null;
  plan: Plan;
  /** Whether the key has a rate of its own. */
  hasOwnRate: boolean;
  quota: Quota | null;
}

/** Calls that are paid for. `used` is what Postgres knows: where Redis counts it may be more. */
export interface Quota {
  max: number;
  /** `2026-11` or `total`. */
  period: string;
  used: number;
  /** When the period ends, epoch milliseconds; null: never. */
  endsAt: number | null;
}

/** A record with what tells it from older and newer ones. */
export interface VersionedRecord {
  record: CredentialRecord;
  version: number;
  tenantEpoch: number;
  userEpoch: number;
}

/**
 * The beginning of a record's text: two texts with the same one say the same. What time or another table alters without a new version,
 * whether the credential works and for which period its quota is, is in it too: an isolate that has read it earlier learns of it.
 */
export const headerOf = ({ version, tenantEpoch, userEpoch, record: { works, quota } }: VersionedRecord) =>
  `${version}|${tenantEpoch}|${userEpoch}|${works ? "works" : "ended"}|${quota?.period ?? ""}|`;

export const recordText = (versioned: VersionedRecord) => headerOf(versioned) + JSON.stringify(versioned.record);

const TEXT = /^(\d+)\|(\d+)\|(\d+)\|(?:works|ended)\|[^|{]*\|(?=\{)/;

/** Undefined for text that is no record: the mark of a change, or something that is not ours. Then Postgres decides. */
export function parseRecord(text: string): VersionedRecord | undefined {
  const [header, version, tenantEpoch, userEpoch] = TEXT.exec(text) ?? [];
  if (header === undefined) return undefined;
  try {
    const record = JSON.parse(text.slice(header.length)) as CredentialRecord;
    if (typeof record.id !== "string" || typeof record.works !== "boolean") return undefined;
    return { record, version: Number(version), tenantEpoch: Number(tenantEpoch), userEpoch: Number(userEpoch) };
  } catch {
    return undefined;
  }
}
