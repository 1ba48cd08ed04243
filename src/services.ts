import { waitUntil } from "cloudflare:workers";
import { accessTokenVerifier } from "./access/access-token.ts";
import type { AuditEvent } from "./audit/event.ts";
import { recordEvent } from "./audit/record.ts";
import type { Auth } from "./auth/auth.ts";
import { mailer } from "./auth/mail.ts";
import { discoverOidc } from "./auth/oidc.ts";
import { pruneExpired } from "./auth/prune.ts";
import { ALL_SCOPES, scopesToPermissions } from "./auth/scopes.ts";
import { signingKeys } from "./auth/signing-keys.ts";
import { redisStorage } from "./auth/storage.ts";
import { resumeGrants, stopGrants } from "./grants/pause.ts";
import { pruneClaims } from "./grants/rotation.ts";
import { forgetKeyRecord } from "./keys/records.ts";
import { generateApiKey, KEY_START_LENGTH } from "./keys/token.ts";
import type { Config } from "./platform/config.ts";
import { connectDatabases } from "./platform/db.ts";
import { publicNamesOnly } from "./platform/dns.ts";
import { errorFields, log } from "./platform/log.ts";
import { guardedFetch, type Outbound } from "./platform/outbound.ts";
import { connectRedis } from "./platform/redis.ts";
import { VERSION } from "./platform/version.ts";
import { upstreamConnector } from "./upstreams/client.ts";
import { upstreamDirectory } from "./upstreams/servers.ts";
import { formCookieName } from "./web/form.ts";

export type Services = ReturnType<typeof createServices>;

/** Scopes of a key that its owner made without saying which. */
const DEFAULT_KEY_SCOPES = ["mcp:tools", "mcp-registry:read"] as const;

const OIDC_RETRY_MS = 60_000;

/** Everything that the planes run on, made once per isolate from the configuration. Opens no connection and does no I/O. */
export function createServices(config: Config) {
  const databases = connectDatabases(config);
  const db = databases.write;
  const redis = connectRedis(config);
  const outbound = guardedFetch(config.OUTBOUND_ALLOW);
  const keys = signingKeys(db);
  const directory = upstreamDirectory(db);
  const connect = upstreamConnector(outbound);

  /** Work that goes on after the answer; its failure is logged and reaches nobody. */
  const background = (work: Promise<unknown>) => {
    waitUntil(work.catch((error: unknown) => log("error", "background.failed", errorFields(error))));
  };

  /** The provider's address is a setting: it may be inside the operator's network. */
  const fetchProvider: Outbound = (url, init) => fetch(url, init);
  const oidcMetadata = () =>
    discoverOidc(config, fetchProvider).catch((error: unknown) => {
      log("error", "oidc.unavailable", errorFields(error));
      return undefined;
    });

  const sendMail = mailer(config, redis, outbound);

  let ready: Auth | undefined;
  let readyUntil = 0;
  /** The Better Auth instance. Published only when it is ready: a request that is cut off must not leave others waiting on it. */
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
      outbound: publicNamesOnly(outbound, config.OUTBOUND_ALLOW),
      storage: redisStorage(redis),
      signingKeys: keys,
      sendMail,
      log,
      background,
      generateApiKey: () => generateApiKey("live"),
      keyStartLength: KEY_START_LENGTH,
      defaultKeyPermissions: scopesToPermissions(DEFAULT_KEY_SCOPES),
      onKeyChanged: (hash) => forgetKeyRecord({ redis }, hash),
      stopCredentials: async ({ keyHashes, grantIds }) => {
        await stopGrants({ redis, accessTokenSeconds: config.ACCESS_TOKEN_TTL }, grantIds);
        await Promise.all(keyHashes.map((hash) => forgetKeyRecord({ redis }, hash)));
      },
      resumeGrants: (grantIds) => resumeGrants({ redis }, grantIds),
      browserCookie: formCookieName(config.BASE_URL.startsWith("https:")),
      scopes: config.SCOPES ?? ALL_SCOPES,
    });
    await made.$context;
    ready = made;
    // Without the operator's provider it serves for a while, then the provider is asked again.
    readyUntil = oidc || config.OIDC_ISSUER === undefined ? Infinity : Date.now() + OIDC_RETRY_MS;
    return made;
  }

  return {
    config,
    databases,
    db,
    redis,
    signingKeys: keys,
    keys: { redis, db },
    grants: { redis, db, accessTokenSeconds: config.ACCESS_TOKEN_TTL },
    verifyAccessToken: accessTokenVerifier(config.BASE_URL, keys),
    catalog: { directory, connect },
    auth,
    sendMail,
    prune: async () => {
      await pruneExpired(db);
      await pruneClaims(db);
    },
    record: (event: AuditEvent) => recordEvent(db, event),
    background,
    log,
    now: () => Date.now(),
    version: VERSION,
  };
}
