import type { Limit } from "../../limits/bucket.ts";
import { GATEWAY_SHARDS, gatewayPart, shardOf, TIERS, type Tier } from "../../limits/plan.ts";
import { redisKeys } from "../../platform/redis/redis.ts";
import type { CheckedCredential } from "../credential/authenticate.ts";
import type { Wanted } from "../policy.ts";
import type { Principal } from "../principal.ts";
import { headerOf, recordText, type VersionedRecord } from "../record.ts";
import type { AccessRefusal, LimitState } from "../refusal.ts";
import type { Usage } from "../usage.ts";

/** One call that asks to be let in. */
export interface AdmissionRequest {
  /** A repeat of an event gets the first verdict. */
  eventId: string;
  wanted: Wanted;
  /** The write-ahead audit entry; undefined: none is written. */
  entry?: ((principal: Principal) => string) | undefined;
  /** Whether this may be answered while neither store can be asked. */
  isHarmless: boolean;
}

export interface Admitted {
  principal: Principal;
  limits: readonly LimitState[];
  /** Calls that the quota still has; undefined: there is none. */
  quotaLeft: number | undefined;
  /** Raised by every change of the tenant: what an isolate keeps of a tenant is good for one epoch. */
  tenantEpoch: number;
  /** The audit entry in its stream, to be trimmed once Postgres has it. */
  entry: { shard: number; id: string } | undefined;
  /** What is to be written down of the use of a key; undefined for a token. */
  used: Usage | undefined;
  /** Redis did not answer: limits were counted in this isolate. */
  isDegraded: boolean;
}

export type Admission = { admitted: Admitted } | { refusal: AccessRefusal; principal?: Principal | undefined };

/** What admission said to an event. */
export type Verdict =
  | { state: "ok"; remaining: number[]; used: number | undefined; entryId: string | undefined }
  | { state: "rate_limited"; bucket: number; retryMs: number }
  | { state: "quota"; used: number };

/** Parses the verdict of the script; undefined for text that is none. */
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

/** The buckets of a call by a credential; `tool` is the name that `/mcp` shows, null for what is no tool call. */
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
    // A name that every object has is no limit of that name.
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

/** Where the record of a credential is kept. */
export const recordKeyOf = (credential: CheckedCredential): string =>
  credential.kind === "api_key"
    ? redisKeys.keyRecord(credential.hash)
    : redisKeys.grantRecord(credential.grant.grantId);

/** The streams of audit entries: a tenant's are all in one. */
const AUDIT_SHARDS = 8;
export const auditShards: readonly number[] = Array.from({ length: AUDIT_SHARDS }, (_, shard) => shard);
export const auditShardOf = (tenantId: string) => shardOf(tenantId, AUDIT_SHARDS);

export interface Question {
  eventId: string;
  credential: CheckedCredential;
  /** The record that was decided on; undefined: none is known. */
  held: VersionedRecord | undefined;
  /** Whether it has just been read from Postgres. */
  isFresh: boolean;
  /** Set when the record does not allow the call: then nothing is taken. */
  refusal: AccessRefusal | undefined;
  buckets: readonly TierBucket[];
  /** The write-ahead audit entry; empty: none. */
  entry: string;
}

/** Keys and arguments of the admission script for a question; every key that the script touches is among them. */
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
