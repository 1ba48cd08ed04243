import { sql } from "drizzle-orm";
import { insertIntent } from "../../audit/entry.ts";
import type { LocalBuckets } from "../../limits/local.ts";
import type { Limit } from "../../limits/bucket.ts";
import { takeFromQuota } from "../../limits/quota.ts";
import { isUnavailable, Unavailable } from "../../platform/errors.ts";
import type { Db } from "../../platform/postgres/db.ts";
import type { Log } from "../../platform/log.ts";
import { bucketsOf, limitStates, recordKeyOf, type Admission, type AdmissionRequest } from "./admission.ts";
import { principalOf, withoutLostRole, type CheckedCredential } from "../credential/authenticate.ts";
import { grantRecord, keyRecord, type FillDeps } from "../credential/fill.ts";
import type { RecordMemory } from "../credential/memory.ts";
import { refusalOf } from "../policy.ts";
import type { VersionedRecord } from "../record.ts";
import { usedUp, type AccessRefusal } from "../refusal.ts";

export interface DegradedDeps extends FillDeps {
  db: Pick<Db, "execute">;
  memory: RecordMemory;
  /** Counts in this isolate. */
  local: LocalBuckets;
  log: Log;
}

/**
 * The divisor of each limit in one isolate while isolates cannot count together. With more than this many isolates, the
 * limit can be exceeded.
 */
const LOCAL_PART = 8;
/** For how long after a store confirmed a record it is trusted for harmless calls while no store answers. */
const TRUSTED_MS = 30_000;

/** Thrown when only an unavailable store could decide. The caller answers 503. */
export class AdmissionUnavailable extends Unavailable {
  override readonly name = "AdmissionUnavailable";
}

/**
 * Admission without Redis: reads the record from Postgres, counts limits in buckets of this isolate at an eighth of
 * their size, and writes quota and audit entry to Postgres in one statement. Refuses proofs of possession, because
 * without Redis a replay cannot be detected. When Postgres is away too, harmless calls without a quota pass if a store
 * confirmed their credential within the last 30 seconds. `now` is in milliseconds.
 */
export async function admitDegraded(
  deps: DegradedDeps,
  credential: CheckedCredential,
  request: AdmissionRequest,
  now: number,
): Promise<Admission> {
  if (credential.kind === "access_token" && credential.proof)
    throw new AdmissionUnavailable("proofs cannot be checked");
  const held = await recordWithoutRedis(deps, credential, request, now);
  if (!held) return { refusal: unknown(credential) };
  const caller = principalOf(credential, held.record);
  const refusal = refusalOf(held.record, caller, request.wanted, now);
  const principal = withoutLostRole(caller, held.record);
  if (refusal) return { refusal, principal };
  const buckets = bucketsOf(held, request.wanted.tool);
  const entry = request.entry?.(principal) ?? "";
  for (const bucket of buckets) {
    const wait = deps.local.waitFor(bucket.key, partOf(bucket.limit), now);
    if (wait > 0) {
      const limits = limitStates([bucket], [0]);
      return { refusal: { kind: "rate_limited", tier: bucket.tier, retryMs: wait, limits }, principal };
    }
  }
  // No await since the check above, so no concurrent call can take the same tokens. Tokens are not returned when the
  // quota turns out to be used up.
  const remaining = buckets.map(({ key, limit }) => {
    const taken = deps.local.take(key, partOf(limit), now);
    return taken.taken ? taken.remaining : 0;
  });
  const paid = await pay(deps, { held, entry, eventId: request.eventId, isHarmless: request.isHarmless }, now);
  const { quota } = held.record;
  if (paid === "used up" && quota) return { refusal: usedUp(quota, now), principal };
  return {
    admitted: {
      principal,
      limits: limitStates(buckets, remaining),
      quotaLeft: undefined,
      tenantEpoch: held.tenantEpoch,
      entry: undefined,
      used: held.record.kind === "api_key" ? { keyId: held.record.id, at: now } : undefined,
      isDegraded: true,
    },
  };
}

async function recordWithoutRedis(
  deps: DegradedDeps,
  credential: CheckedCredential,
  { isHarmless }: AdmissionRequest,
  now: number,
): Promise<VersionedRecord | null> {
  const memoryKey = recordKeyOf(credential);
  try {
    const read =
      credential.kind === "api_key"
        ? await keyRecord(deps, credential.hash)
        : await grantRecord(deps, credential.grant);
    if (read) deps.memory.set(memoryKey, read, now);
    else deps.memory.forget(memoryKey);
    return read;
  } catch (error) {
    const known = deps.memory.get(memoryKey);
    const age = now - (deps.memory.confirmedAt(memoryKey) ?? 0);
    if (!isUnavailable(error) || !known || !isHarmless || age > TRUSTED_MS) throw error;
    return known;
  }
}

/**
 * Takes the call from its quota and writes its audit entry, both in Postgres. Sends no statement when there is neither.
 */
async function pay(
  { db, log }: DegradedDeps,
  { held, entry, eventId, isHarmless }: { held: VersionedRecord; entry: string; eventId: string; isHarmless: boolean },
  now: number,
): Promise<"paid" | "used up"> {
  const { quota, chainId } = held.record;
  if (!quota && entry === "") return "paid";
  const used = quota ? takeFromQuota({ chainId, ...quota }) : sql`select 1 as used`;
  const noted =
    entry === "" ? sql`select 1` : insertIntent({ id: eventId, entry, now, when: sql`exists (select 1 from used)` });
  try {
    const { rows } = await db.execute(
      sql`with used as (${used}), noted as (${noted}) select used from used where (select count(*) from noted) >= 0`,
    );
    return rows.length > 0 ? "paid" : "used up";
  } catch (error) {
    if (!isHarmless || quota || !isUnavailable(error)) throw error;
    log("warn", "audit.unwritten", { eventId });
    return "paid";
  }
}

const partOf = ({ perMinute, burst }: Limit): Limit => ({
  perMinute: Math.max(1, Math.floor(perMinute / LOCAL_PART)),
  burst: Math.max(1, Math.floor(burst / LOCAL_PART)),
});

const unknown = ({ kind }: CheckedCredential): AccessRefusal => ({
  kind: "invalid_credential",
  presented: kind,
  reason: "unknown to Postgres",
});
