import type { Limit } from "../../limits/bucket.ts";
import { looksLikeApiKey } from "../../keys/token.ts";
import { visitorKey } from "../../platform/ip.ts";
import { redisKeys } from "../../platform/redis/redis.ts";
import { DeadlineExceeded } from "../../platform/deadline.ts";
import { RedisUnavailable, type RunScript } from "../../platform/redis/script.ts";
import { ADMIT, LOCATE } from "./script.ts";
import {
  auditShardOf,
  bucketsOf,
  limitStates,
  parseVerdict,
  questionOf,
  recordKeyOf,
  type Admission,
  type AdmissionRequest,
  type TierBucket,
} from "./admission.ts";
import { principalOf, withoutLostRole, type CheckedCredential } from "../credential/authenticate.ts";
import { admitDegraded, type DegradedDeps } from "./degraded.ts";
import { grantRecord, keyRecord, type FillDeps } from "../credential/fill.ts";
import { refusalOf } from "../policy.ts";
import type { Principal } from "../principal.ts";
import { parseRecord, type VersionedRecord } from "../record.ts";
import { usedUp, type AccessRefusal } from "../refusal.ts";

export interface AdmitDeps extends FillDeps, DegradedDeps {
  runScript: RunScript;
  /** How many unknown keys an address may present before it is blocked. */
  guesses: Limit;
  /**
   * Turns a key of the old system into an ordinary key; false when the text is not such a key. Undefined when keys of
   * the old system are no longer accepted.
   */
  adoptLegacyKey: ((key: string) => Promise<boolean>) | undefined;
}

/** A concurrent change forces another round. More rounds than this mean that something is wrong. */
const MAX_ROUNDS = 6;

/**
 * Decides whether a call is admitted and takes it from quota and limits. Costs one Redis request when the isolate
 * knows the credential and nothing changed in between (see {@link ADMIT}), one more when only Redis knows it, and one
 * SQL statement when neither does. {@link admitDegraded} decides while Redis does not answer. Throws when no store can
 * decide: the caller answers 503 and never lets the call pass. `now` is in milliseconds.
 */
export async function admit(
  deps: AdmitDeps,
  credential: CheckedCredential,
  request: AdmissionRequest,
  now: number,
): Promise<Admission> {
  try {
    return await admitByRedis(deps, credential, request, now);
  } catch (error) {
    if (error instanceof RedisUnavailable) return admitDegraded(deps, credential, request, now);
    throw error;
  }
}

async function admitByRedis(
  deps: AdmitDeps,
  credential: CheckedCredential,
  request: AdmissionRequest,
  now: number,
): Promise<Admission> {
  const { memory } = deps;
  const memoryKey = recordKeyOf(credential);
  let held = memory.get(memoryKey);
  let isFresh = false;
  if (!held && credential.kind === "api_key") {
    const located = await locate(deps, credential, request.wanted.address);
    if (located && "refusal" in located) return located;
    held = located;
  }
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if (!held && credential.kind === "api_key") {
      const filled = await fill(deps, credential, request.wanted.address, now);
      if ("refusal" in filled) return filled;
      [held, isFresh] = [filled, true];
    }
    const caller = held && principalOf(credential, held.record);
    const refusal = held && caller && refusalOf(held.record, caller, request.wanted, now);
    const principal = held && caller && withoutLostRole(caller, held.record);
    const buckets: readonly TierBucket[] = held && !refusal ? bucketsOf(held, request.wanted.tool) : [];
    const entry = principal && !refusal ? (request.entry?.(principal) ?? "") : "";
    const question = questionOf({ eventId: request.eventId, credential, held, isFresh, refusal, buckets, entry });
    const [state = "", text = ""] = await ask(deps, question);
    isFresh = false;
    const current = state === "record" ? parseRecord(text) : undefined;
    if (current) {
      held = current;
      memory.set(memoryKey, held, now);
      continue;
    }
    switch (state) {
      case "record":
      case "miss":
      case "stale":
        held = undefined;
        if (credential.kind === "access_token") [held, isFresh] = [await grantRecord(deps, credential.grant), true];
        continue;
      case "current":
      case "verdict":
        if (!held || !principal) throw new RedisUnavailable("a verdict without a record");
        memory.set(memoryKey, held, now);
        if (state === "current")
          return { refusal: refusal ? inScheme(credential, refusal) : expired(credential), principal };
        return answered(text, { held, principal, buckets, now });
      case "replayed":
        return {
          refusal: {
            kind: "invalid_dpop_proof",
            problem: "This proof has already been used. Create one for each request.",
          },
        };
      case "ended":
      case "dead":
      case "unknown":
      case "expired":
        memory.forget(memoryKey);
        return { refusal: expired(credential, state) };
      default:
        throw new RedisUnavailable("unexpected answer of the admission script");
    }
  }
  throw new RedisUnavailable("the credential keeps changing");
}

/** Asks a second time when the answer was lost. That is safe: the event's verdict is kept. */
const ask = ({ runScript }: AdmitDeps, { keys, args }: { keys: string[]; args: string[] }): Promise<string[]> =>
  twice(async () => {
    const answer = await runScript(ADMIT, keys, args);
    if (Array.isArray(answer) && answer.every((part) => typeof part === "string")) return answer;
    throw new RedisUnavailable("unexpected answer of the admission script");
  });

const twice = <T>(run: () => Promise<T>): Promise<T> =>
  run().catch((error: unknown) => {
    if (!(error instanceof RedisUnavailable) || isTimeout(error)) throw error;
    return run();
  });

const isTimeout = ({ cause }: RedisUnavailable) => cause instanceof DeadlineExceeded;

/**
 * The record of a key that this isolate has not seen, from Redis. Undefined when Redis does not have it and the address
 * may have it looked up in Postgres.
 */
async function locate(
  { runScript, guesses }: AdmitDeps,
  { hash }: Extract<CheckedCredential, { kind: "api_key" }>,
  address: string | null,
): Promise<VersionedRecord | undefined | { refusal: AccessRefusal }> {
  const keys = [redisKeys.keyRecord(hash), guessBucket(address)];
  const [state, text] = await twice(() => tell(runScript, keys, guesses, "found"));
  if (state === "record") return parseRecord(text);
  if (state === "blocked") return { refusal: shutOut(Number(text), guesses) };
  if (state === "unknown") return { refusal: unknownKey };
  return undefined;
}

async function tell(
  runScript: RunScript,
  keys: string[],
  { perMinute, burst }: Limit,
  what: "found" | "guess" | "missing" | "mark",
) {
  const answer = await runScript(LOCATE, keys, [String(perMinute), String(burst), what]);
  if (!Array.isArray(answer)) throw new RedisUnavailable("unexpected answer of the key look-up");
  return [String(answer[0]), String(answer[1])] as const;
}

const guessBucket = (address: string | null) => redisKeys.bucket("guess", visitorKey(address));

/**
 * How often one address may make this isolate look up keys that Redis does not know. Needed because concurrent guesses
 * are counted only after their look-ups.
 */
const LOOKUPS: Limit = { perMinute: 1_200, burst: 60 };

async function fill(
  deps: AdmitDeps,
  { key, hash }: Extract<CheckedCredential, { kind: "api_key" }>,
  address: string | null,
  now: number,
): Promise<VersionedRecord | { refusal: AccessRefusal }> {
  const taken = deps.local.take(`lookup:${guessBucket(address)}`, LOOKUPS, now);
  if (!taken.taken) return { refusal: shutOut(taken.retryMs, LOOKUPS) };
  const known = await keyRecord(deps, hash);
  if (known) return known;
  const places = [redisKeys.keyRecord(hash), guessBucket(address)];
  const mayBeLegacy = deps.adoptLegacyKey !== undefined && !looksLikeApiKey(key);
  if (deps.adoptLegacyKey && mayBeLegacy) {
    // Counted before the salted hashes of the old system are compared, because that costs one digest per candidate.
    await tell(deps.runScript, places, deps.guesses, "guess");
    const adopted = (await deps.adoptLegacyKey(key)) && (await keyRecord(deps, hash));
    if (adopted) return adopted;
  }
  await tell(deps.runScript, places, deps.guesses, mayBeLegacy ? "mark" : "missing");
  return { refusal: unknownKey };
}

interface Settled {
  held: VersionedRecord;
  principal: Principal;
  buckets: readonly TierBucket[];
  now: number;
}

function answered(text: string, { held, principal, buckets, now }: Settled): Admission {
  const verdict = parseVerdict(text);
  const { quota, tenantId, chainId, id: keyId, kind } = held.record;
  if (verdict?.state === "rate_limited") {
    const { tier = "gateway" } = buckets[verdict.bucket] ?? {};
    const limits = limitStates(buckets.slice(verdict.bucket, verdict.bucket + 1), [0]);
    return { refusal: { kind: "rate_limited", tier, retryMs: verdict.retryMs, limits }, principal };
  }
  if (verdict?.state === "quota" && quota) return { refusal: usedUp(quota, now), principal };
  if (verdict?.state !== "ok") throw new RedisUnavailable("the verdict cannot be read");
  const { entryId: id, used } = verdict;
  return {
    admitted: {
      principal,
      limits: limitStates(buckets, verdict.remaining),
      quotaLeft: quota && used !== undefined ? Math.max(0, quota.max - used) : undefined,
      tenantEpoch: held.tenantEpoch,
      entry: id === undefined ? undefined : { shard: auditShardOf(tenantId), id },
      used:
        kind === "api_key"
          ? { keyId, at: now, quota: quota && used !== undefined ? { chainId, period: quota.period, used } : undefined }
          : undefined,
      isDegraded: false,
    },
  };
}

const unknownKey: AccessRefusal = { kind: "invalid_credential", presented: "api_key", reason: "unknown key" };

/** A caller that sent a DPoP proof gets the challenge of the DPoP scheme (RFC 9449 §7.1). */
const inScheme = (credential: CheckedCredential, refusal: AccessRefusal): AccessRefusal =>
  refusal.kind === "invalid_credential" && credential.kind === "access_token" && credential.proof
    ? { ...refusal, scheme: "DPoP" }
    : refusal;

function expired(credential: CheckedCredential, reason = "no longer valid"): AccessRefusal {
  const scheme = credential.kind === "access_token" && credential.proof ? ("DPoP" as const) : undefined;
  return { kind: "invalid_credential", presented: credential.kind, reason, scheme };
}

const shutOut = (retryMs: number, limit: Limit): AccessRefusal => ({
  kind: "rate_limited",
  tier: "address",
  retryMs,
  limits: [{ tier: "address", limit, remaining: 0 }],
});
