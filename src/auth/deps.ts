import type { Journal } from "../audit/journal.ts";
import type { FlushOutbox } from "../platform/outbox.ts";
import type { Config } from "../platform/config.ts";
import type { Db } from "../platform/postgres/db.ts";
import type { Log } from "../platform/log.ts";
import type { Outbound } from "../platform/outbound/outbound.ts";
import type { Redis } from "../platform/redis/redis.ts";
import type { OidcMetadata } from "./providers/oidc.ts";
import type { SendMail } from "../platform/mail.ts";
import type { SigningKeys } from "../identity/signing-keys.ts";
import type { authStorage } from "./storage/storage.ts";

/** What the authentication framework depends on. Functions of other folders are passed in. */
export interface AuthDeps {
  config: Config;
  db: Db;
  redis: Pick<Redis, "eval" | "del" | "set">;
  /** Fetches from public hosts only, over https, and follows no redirects. */
  outbound: Outbound;
  /** Metadata of the operator's OpenID Connect provider; undefined when there is none or it does not answer. */
  oidc: OidcMetadata | undefined;
  /** Fetches from that provider, whose address the operator chose. */
  fetchProvider: Outbound;
  storage: ReturnType<typeof authStorage>;
  signingKeys: SigningKeys;
  sendMail: SendMail;
  log: Log;
  /** Records changes that the framework makes, and refusals. */
  journal: Pick<Journal, "record" | "tried">;
  /** Epoch milliseconds. */
  now: () => number;
  /** Runs work after the answer was sent. */
  background: (work: Promise<unknown>) => void;
  generateApiKey: () => string;
  keyStartLength: number;
  defaultKeyPermissions: Record<string, string[]>;
  /** Sends committed changes of keys, roles and bans to Redis, before the answer that confirms them. */
  flushOutbox: FlushOutbox;
  /**
   * Refuses keys and access tokens immediately, whatever Postgres says. `resumeGrants` accepts those of a grant again.
   */
  stopCredentials: (credentials: StoppedCredentials) => Promise<void>;
  resumeGrants: (grantIds: readonly string[]) => Promise<void>;
  /** Name of the cookie that identifies a browser to our pages. */
  browserCookie: string;
  scopes: readonly string[];
}

/** Credentials that end with an account or with a lost role. */
export interface StoppedCredentials {
  keyHashes: readonly string[];
  grantIds: readonly string[];
}
