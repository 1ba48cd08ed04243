import type { Scope } from "../identity/scopes.ts";
import type { Plan } from "../limits/plan.ts";
import type { AddressRange } from "../platform/ip.ts";

/**
 * What admission needs to know about a credential, the same for an API key and an OAuth grant. Redis keeps it without
 * the credential itself, as `version|tenant epoch|user epoch|works or ended|quota's period|JSON`. An isolate caches
 * what it has read, and each call asks Redis whether that is still current.
 */
export interface CredentialRecord {
  kind: "api_key" | "grant";
  /** The key's id, or the grant's. */
  id: string;
  name: string | null;
  /** Rate and quota are counted by this id. Rotated keys share it. */
  chainId: string;
  userId: string;
  tenantId: string;
  /** Null: the scopes of the token apply. */
  scopes: Scope[] | null;
  isAdministrator: boolean;
  /** Enabled and not revoked, and its owner exists, is not banned and is in the tenant. */
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

/** A quota of calls. `used` is the count in Postgres; the count in Redis may be higher. */
export interface Quota {
  max: number;
  /** Such as `2026-11`, or `total`. */
  period: string;
  used: number;
  /** When the period ends, epoch milliseconds; null: never. */
  endsAt: number | null;
}

/** A record with the numbers that order it among older and newer versions. */
export interface VersionedRecord {
  record: CredentialRecord;
  version: number;
  tenantEpoch: number;
  userEpoch: number;
}

/**
 * The start of a record's text; records with equal headers are equal. Whether the credential works and the period of
 * its quota are in it because time or another table can change them without a new version, and isolates that cached the
 * record must notice.
 */
export const headerOf = ({ version, tenantEpoch, userEpoch, record: { works, quota } }: VersionedRecord) =>
  `${version}|${tenantEpoch}|${userEpoch}|${works ? "works" : "ended"}|${quota?.period ?? ""}|`;

export const recordText = (versioned: VersionedRecord) => headerOf(versioned) + JSON.stringify(versioned.record);

const TEXT = /^(\d+)\|(\d+)\|(\d+)\|(?:works|ended)\|[^|{]*\|(?=\{)/;

/** Parses a record's text; undefined for any other text, such as the mark of a change. Then Postgres decides. */
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
