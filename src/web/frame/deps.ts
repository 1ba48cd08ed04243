import type { Context } from "hono";
import type { Journal } from "../../audit/journal.ts";
import type { Auth } from "../../auth/auth.ts";
import type { SendMail } from "../../platform/mail.ts";
import type { DisconnectDeps } from "../../grants/connected.ts";
import type { FlushOutbox } from "../../platform/outbox.ts";
import type { Config } from "../../platform/config.ts";
import type { Db } from "../../platform/postgres/db.ts";
import type { HttpEnv } from "../../platform/http.ts";
import type { Log } from "../../platform/log.ts";
import type { Redis } from "../../platform/redis/redis.ts";

/** What the pages run on. */
export interface WebDeps {
  config: Pick<
    Config,
    | "BASE_URL"
    | "LOGIN_PAGE"
    | "BETTER_AUTH_SECRETS"
    | "SIGN_UP"
    | "GITHUB_CLIENT_ID"
    | "GOOGLE_CLIENT_ID"
    | "OIDC_ISSUER"
    | "OIDC_NAME"
  > &
    Partial<Pick<Config, "OUTBOUND_ALLOW">>;
  /** The isolate's Better Auth instance, ready to use. Pages only send it requests. */
  auth: () => Promise<Pick<Auth, "handler">>;
  /** Memberships, connected apps, sessions and the registry. What belongs to the framework is changed through it. */
  db: Pick<Db, "execute" | "batch">;
  /** Consents that are being decided, and the end of what was granted. */
  grants: DisconnectDeps & { redis: Pick<Redis, "set" | "del"> };
  /** Brings committed changes to Redis, so that they are in force at the next call. */
  flushOutbox: FlushOutbox;
  /** Sends a mail; awaited after the answer. */
  sendMail: SendMail;
  /** Work that goes on after the answer. */
  background: (work: Promise<unknown>) => void;
  /** For what the framework changes. What statements of ours change has its entry in them. */
  journal: Pick<Journal, "record">;
  log: Log;
}

/** What a page finds on Hono's context beside the request id. */
export interface PageEnv {
  Variables: HttpEnv["Variables"] & {
    /** Of this answer's stylesheet. */
    nonce: string;
    /** CSP source that a form of this page may lead to beside our own origin. */
    formTarget: string | undefined;
    /** The value of the form cookie, once this answer has one. */
    formCookie: string | undefined;
    /** The fields of a form that passed its checks. */
    form: URLSearchParams;
  };
}

export type PageContext = Context<PageEnv>;
