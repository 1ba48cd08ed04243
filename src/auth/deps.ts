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

/** What the authentication framework runs on. Functions of other capabilities come in as arguments. */
export interface AuthDeps {
  config: Config;
  db: Db;
  redis: Pick<Redis, "eval" | "del" | "set">;
  /** Asks public hosts only, over https, and follows no redirect. */
  outbound: Outbound;
  /** Metadata of the operator's own OpenID Connect provider, when there is one and it answers. */
  oidc: OidcMetadata | undefined;
  /** Asks that provider; its address is the operator's choice. */
  fetchProvider: Outbound;
  storage: ReturnType<typeof authStorage>;
  signingKeys: SigningKeys;
  sendMail: SendMail;
  log: Log;
  /** Records what the framework changes itself, and what is refused. */
  journal: Pick<Journal, "record" | "tried">;
  /** Epoch milliseconds. */
  now: () => number;
  /** Work that goes on after the answer. */
  background: (work: Promise<unknown>) => void;
  generateApiKey: () => string;
  keyStartLength: number;
  defaultKeyPermissions: Record<string, string[]>;
  /** Brings committed changes of keys, roles and bans to Redis, before the answer that confirms them (R9). */
  flushOutbox: FlushOutbox;
  /** Refuses keys and access tokens at once, whatever Postgres says of them; one that is kept after all can be let in again. */
  stopCredentials: (credentials: StoppedCredentials) => Promise<void>;
  resumeGrants: (grantIds: readonly string[]) => Promise<void>;
  /** Name of the cookie by which our pages tell browsers apart. */
  browserCookie: string;
  scopes: readonly string[];
}

/** What an account that ends, or a role that is lost, takes along. */
export interface StoppedCredentials {
  keyHashes: readonly string[];
  grantIds: readonly string[];
}
