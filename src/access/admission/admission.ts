import type { Limit } from "../../limits/bucket.ts";
import { GATEWAY_SHARDS, gatewayPart, shardOf, TIERS, type Tier } from "../../limits/plan.ts";
import { redisKeys } from "../../platform/redis/redis.ts";
import type { CheckedCredential } from "../credential/authenticate.ts";
import type { Wanted } from "../policy.ts";
import type { Principal } from "../principal.ts";
import { headerOf, recordText, type VersionedRecord } from "../record.ts";
import type { AccessRefusal, LimitState } from "../refusal.ts";
import type { Usage } from "../usage.ts";

/** One call that asks for admission. */
export interface AdmissionRequest {
  /** A repeated event id gets the verdict of the first call. */
  eventId: string;
  wanted: Wanted;
  /** Builds the write-ahead audit entry; undefined when none is written. */
  entry?: ((principal: Principal) => string) | undefined;
  /** Whether the call may be answered while neither Redis nor Postgres is available. */
  isHarmless: boolean;
}

export interface Admitted {
  principal: Principal;
  limits: readonly LimitState[];
  /** Calls left in the quota; undefined when there is no quota. */
  quotaLeft: number | undefined;
  /** Raised by every change of the tenant. What an isolate caches of a tenant is valid for one epoch. */
  tenantEpoch: number;
  /** The audit entry's place in its stream; it is trimmed once Postgres has the entry. */
  entry: { shard: number; id: string } | undefined;
  /** The use of an API key to record; undefined for an access token. */
  used: Usage | undefined;
  /** Redis did not answer, so limits were counted in this isolate. */
  isDegraded: boolean;
}

export type Admission = { admitted: Admitted } | { refusal: AccessRefusal; principal?: Principal | undefined };

/** The decision of the admission script about an event. */
export type Verdict =
  | { state: "ok"; remaining: number[]; used: number | undefined; entryId: string | undefined }
  | { state: "rate_limited"; bucket: number; retryMs: number }
  | { state: "quota"; used: number };

/** Parses the verdict of the script; undefined for any other text. */
export function parseVerdict(text: string): Verdict | undefined {
  const [state, first = "", second = "", third = ""] = text.split("|");
  if (state === "ok") {
    const remaining = first === "" ? [] : first.split(",").map(Number);
    return { state, remaining, used: second === "" ? undefined : Number(second), entryId: third || undefined };
  }
  if (state === "rate_limited") return { state, bucket: Number(first) - 1, retryMs: Number(second) };
  return state === "quota" ? { state, used: Number(first) } : undefined;
}

/** A bucket that a call takes from. */
export interface TierBucket {
  tier: Tier;
  key: string;
  limit: Limit;
}

/**
 * The buckets that a call by this credential takes from. `tool` is the name that `/mcp` shows, null when it is not a
 * tool call.
 */
export function bucketsOf({ record }: VersionedRecord, tool: string | null): TierBucket[] {
  const { plan, chainId, userId, tenantId } = record;
  const ids: Record<Tier, string | null> = {
    credential: chainId,
    user: userId,
    tenant: tenantId,
    tool: tool === null ? null : `${tenantId}:${tool}`,
    gateway: String(shardOf(tenantId, GATEWAY_SHARDS)),
  };
  const limits: Record<Tier, Limit> = {
    ...plan,
    // hasOwn: a tool named like a property of every object ("constructor") must not find that property.
    tool: (tool !== null && Object.hasOwn(plan.tools, tool) ? plan.tools[tool] : undefined) ?? plan.tool,
    gateway: gatewayPart(plan.gateway),
  };
  return TIERS.flatMap((tier) => {
    const id = ids[tier];
    return id === null ? [] : [{ tier, key: redisKeys.bucket(tier, id), limit: limits[tier] }];
  });
}

export const limitStates = (buckets: readonly TierBucket[], remaining: readonly number[]): LimitState[] =>
  buckets.map(({ tier, limit }, index) => ({ tier, limit, remaining: remaining[index] ?? 0 }));

/** The Redis key of a credential's record. */
export const recordKeyOf = (credential: CheckedCredential): string =>
  credential.kind === "api_key"
    ? redisKeys.keyRecord(credential.hash)
    : redisKeys.grantRecord(credential.grant.grantId);

/** Number of audit streams. All entries of a tenant are in one stream. */
const AUDIT_SHARDS = 8;
export const auditShards: readonly number[] = Array.from({ length: AUDIT_SHARDS }, (_, shard) => shard);
export const auditShardOf = (tenantId: string) => shardOf(tenantId, AUDIT_SHARDS);

export interface Question {
  eventId: string;
  credential: CheckedCredential;
  /** The record that the caller decided on; undefined when it holds none. */
  held: VersionedRecord | undefined;
  /** Whether the record was just read from Postgres. */
  isFresh: boolean;
  /** Set when the record does not allow the call; then nothing is taken from quota or buckets. */
  refusal: AccessRefusal | undefined;
  buckets: readonly TierBucket[];
  /** The write-ahead audit entry; empty when none is written. */
  entry: string;
}

/** Keys and arguments of the admission script. `keys` names every Redis key that the script touches. */
export function questionOf(question: Question): { keys: string[]; args: string[] } {
  const { eventId, credential, held, isFresh, refusal, buckets, entry } = question;
  const verdict = redisKeys.verdict(eventId);
  const { tenantId, userId } =
    held?.record ?? (credential.kind === "access_token" ? credential.grant : { tenantId: "", userId: "" });
  const grants = credential.kind === "access_token" ? [credential.grant.grantId, credential.grant.clientGrantId] : [];
  const marks = grants.filter((id) => id !== undefined).map(redisKeys.endedGrant);
  const proof = credential.kind === "access_token" ? credential.proof : undefined;
  const quota = held?.record.quota;
  return {
    keys: [
      verdict,
      recordKeyOf(credential),
      redisKeys.epoch(`t:${tenantId}`),
      redisKeys.epoch(`u:${userId}`),
      quota ? redisKeys.quota(held.record.chainId) : verdict,
      entry === "" ? verdict : redisKeys.auditStream(auditShardOf(tenantId)),
      proof ? redisKeys.spentProof(proof.id) : verdict,
      ...marks,
      ...buckets.map(({ key }) => key),
    ],
    args: [
      String(marks.length),
      held ? headerOf(held) : "",
      held && isFresh ? recordText(held) : "",
      String(Math.ceil(held?.record.expiresAt ?? 0)),
      refusal ? "refuse" : "take",
      quota ? String(quota.max) : "",
      quota?.period ?? "",
      String(quota?.used ?? 0),
      proof ? String(proof.seconds) : "",
      entry,
      ...buckets.flatMap(({ limit }) => [String(limit.perMinute), String(limit.burst)]),
    ],
  };
}
