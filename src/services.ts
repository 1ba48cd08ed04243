import { waitUntil } from "cloudflare:workers";
import { accessTokenVerifier } from "./access/credential/access-token.ts";
import { auditShards, type AdmissionRequest } from "./access/admission/admission.ts";
import { admit } from "./access/admission/admit.ts";
import type { CheckedCredential } from "./access/credential/authenticate.ts";
import { recordMemory } from "./access/credential/memory.ts";
import { failedAttempts } from "./access/failed-attempts.ts";
import { noteUsage } from "./access/usage.ts";
import { drain } from "./audit/drain.ts";
import { createJournal } from "./audit/journal.ts";
import type { Auth } from "./auth/auth.ts";
import { mailer } from "./platform/mail.ts";
import { discoverOidc } from "./auth/providers/oidc.ts";
import { pruneExpired } from "./auth/prune.ts";
import { ALL_SCOPES, scopesToPermissions } from "./identity/scopes.ts";
import { signingKeys } from "./identity/signing-keys.ts";
import { authStorage } from "./auth/storage/storage.ts";
import { resumeGrants, stopGrants } from "./grants/pause.ts";
import { pruneLocks } from "./grants/rotation.ts";
import { lastUses as newLastUses } from "./keys/last-use.ts";
import { adoptLegacyKey } from "./keys/legacy/adoption.ts";
import { DEFAULT_KEY_SCOPES } from "./keys/rules.ts";
import { generateApiKey, KEY_START_LENGTH } from "./keys/token.ts";
import { localBuckets } from "./limits/local.ts";
import { quotaCounts as newQuotaCounts } from "./limits/quota.ts";
import { createBreaker } from "./platform/redis/breaker.ts";
import { flushOutbox } from "./platform/outbox.ts";
import type { Config } from "./platform/config.ts";
import { connectDatabases } from "./platform/postgres/db.ts";
import { publicNamesOnly, textRecords } from "./platform/outbound/dns.ts";
import { errorFields, log } from "./platform/log.ts";
import { guardedFetch, type Outbound } from "./platform/outbound/outbound.ts";
import { connectRedis } from "./platform/redis/redis.ts";
import { REDIS_BREAKER, redisGuard } from "./platform/redis/guard.ts";
import { scriptRunner, type RunScript } from "./platform/redis/script.ts";
import { VERSION } from "./platform/version.ts";
import { registryMemory } from "./registry/reading/answer-cache.ts";
import { syncDue } from "./registry/mirror/sync.ts";
import { registryTools } from "./registry/reading/tools.ts";
import { pruneAnswers } from "./registry/publishing/idempotency.ts";
import { upstreamConnector } from "./upstreams/client.ts";
import { upstreamDirectory } from "./upstreams/servers.ts";
import { formCookieName } from "./web/frame/form.ts";

export type Services = ReturnType<typeof createServices>;

const OIDC_RETRY_MS = 60_000;
const FLUSH_AGAIN_MS = 2_000;
/** Bounds of what an isolate caches; plain data of a few megabytes at most. */
const MAX_RECORDS = 5_000;
const MAX_LOCAL_BUCKETS = 20_000;
/** Unknown API keys that one address may present. */
const GUESSES = { perMinute: 10, burst: 30 };
/** Failed requests that one address may send, per isolate. */
const FAILURES = { perMinute: 600, burst: 300 };

/** How to run work after an answer, or after a pause. */
export interface Later {
  /** Keeps the isolate running until the work has ended. */
  keepAlive: (work: Promise<unknown>) => void;
  wait: (ms: number) => Promise<unknown>;
}

export const RUNTIME: Later = {
  keepAlive: waitUntil,
  wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/**
 * All dependencies of the planes, created once per isolate from the configuration. Opens no connection and does no I/O.
 */
export function createServices(config: Config, { keepAlive, wait }: Later = RUNTIME) {
  const databases = connectDatabases(config);
  const db = databases.write;
  const now = () => Date.now();
  const guard = redisGuard(createBreaker(REDIS_BREAKER), log, now);
  const redis = connectRedis(config, guard);
  const outbound = guardedFetch(config.OUTBOUND_ALLOW);
  const publicOutbound = publicNamesOnly(outbound, config.OUTBOUND_ALLOW);
  const keys = signingKeys(db);
  const directory = upstreamDirectory(db);
  const connect = upstreamConnector(outbound);

  /** Runs work after the answer. A failure is logged and not reported to the caller. */
  const background = (work: Promise<unknown>) => {
    keepAlive(work.catch((error: unknown) => log("error", "background.failed", errorFields(error))));
  };

  const send = scriptRunner(config);
  const runScript: RunScript = (script, names, args) => guard(() => send(script, names, args));
  const flush = () => flushOutbox({ db, runScript, background });
  /**
   * Flushes the outbox. After a failure, tries once more after the answer; later, each change and the cron run each
   * minute try again.
   */
  const flushNow = async () => {
    try {
      await flush();
    } catch (error) {
      background(wait(FLUSH_AGAIN_MS).then(flush));
      throw error;
    }
  };
  const [lastUses, quotaCounts] = [newLastUses(), newQuotaCounts()];
  const companions = [lastUses, quotaCounts];
  const journal = createJournal({ db, runScript, background, wait, now, log, companions });

  const memory = recordMemory(MAX_RECORDS);
  const local = localBuckets(MAX_LOCAL_BUCKETS);
  const admission = {
    db,
    runScript,
    memory,
    local,
    log,
    limits: config.LIMITS,
    guesses: config.LIMITS.guess ?? GUESSES,
    adoptLegacyKey: config.LEGACY_KEYS === "accept" ? (key: string) => adoptLegacyKey(db, key, now()) : undefined,
  };

  /**
   * Not restricted to public hosts: the provider's address is the operator's setting and may be in a private network.
   */
  const fetchProvider: Outbound = (url, init) => fetch(url, init);
  const oidcMetadata = () =>
    discoverOidc(config, fetchProvider).catch((error: unknown) => {
      log("error", "oidc.unavailable", errorFields(error));
      return undefined;
    });

  const sendMail = mailer(config, redis, outbound);

  let ready: Auth | undefined;
  let readyUntil = 0;
  /**
   * The Better Auth instance. Stored only when it is ready, so that an aborted request cannot leave others waiting for
   * it.
   */
  async function auth(): Promise<Auth> {
    if (ready && Date.now() < readyUntil) return ready;
    const { createAuth } = await import("./auth/auth.ts");
    const oidc = await oidcMetadata();
    const made = createAuth({
      oidc,
      fetchProvider,
      config,
      db,
      redis,
      outbound: publicOutbound,
      storage: authStorage({ redis, db }),
      signingKeys: keys,
      sendMail,
      log,
      journal,
      now,
      background,
      generateApiKey: () => generateApiKey("live"),
      keyStartLength: KEY_START_LENGTH,
      defaultKeyPermissions: scopesToPermissions(DEFAULT_KEY_SCOPES),
      flushOutbox: flushNow,
      stopCredentials: async ({ grantIds }) => {
        await stopGrants({ redis, accessTokenSeconds: config.ACCESS_TOKEN_TTL }, grantIds);
        await flushNow();
      },
      resumeGrants: (grantIds) => resumeGrants({ redis }, grantIds),
      browserCookie: formCookieName(config.BASE_URL.startsWith("https:")),
      scopes: config.SCOPES ?? ALL_SCOPES,
    });
    await made.$context;
    ready = made;
    // Without the metadata of the operator's provider, use this instance for a while, then request the metadata again.
    readyUntil = oidc || config.OIDC_ISSUER === undefined ? Infinity : Date.now() + OIDC_RETRY_MS;
    return made;
  }

  return {
    config,
    databases,
    db,
    redis,
    outbound: publicOutbound,
    textRecords: (name: string) => textRecords(name),
    signingKeys: keys,
    memory,
    failedAttempts: failedAttempts(local, config.LIMITS.address ?? FAILURES),
    acceptsLegacyKeys: config.LEGACY_KEYS === "accept",
    admit: (credential: CheckedCredential, request: AdmissionRequest, at: number) =>
      admit(admission, credential, request, at),
    grants: { redis, db, accessTokenSeconds: config.ACCESS_TOKEN_TTL },
    verifyAccessToken: accessTokenVerifier(config.BASE_URL, keys),
    catalog: { directory, connect },
    published: registryMemory(),
    registry: registryTools(databases.read, config.BASE_URL),
    auth,
    sendMail,
    flushOutbox: flushNow,
    prune: async () => {
      await pruneExpired(db);
      await pruneLocks(db);
      await pruneAnswers(db, now());
    },
    journal,
    used: noteUsage({ lastUses, quotaCounts, journal }),
    syncRegistry: () => syncDue({ db, outbound: publicOutbound, reachable: config.OUTBOUND_ALLOW, log, now }),
    drain: () => drain({ db, runScript }, auditShards, now()),
    background,
    log,
    now,
    version: VERSION,
  };
}
