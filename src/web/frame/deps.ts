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

/** Dependencies of the pages. */
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
  /** The isolate's Better Auth instance. Pages only send it requests. */
  auth: () => Promise<Pick<Auth, "handler">>;
  /**
   * For memberships, connected apps, sessions and the registry. Better Auth's own data is changed through Better Auth.
   */
  db: Pick<Db, "execute" | "batch">;
  /** For deciding consents once, and for revoking grants. */
  grants: DisconnectDeps & { redis: Pick<Redis, "set" | "del"> };
  /** Brings committed changes to Redis, so that they apply from the next call on. */
  flushOutbox: FlushOutbox;
  /** Sends an email. To be awaited in the background, after the response. */
  sendMail: SendMail;
  /** Keeps work running after the response. */
  background: (work: Promise<unknown>) => void;
  /** For changes that Better Auth makes. Statements of our own write their audit entry themselves. */
  journal: Pick<Journal, "record">;
  log: Log;
}

/** Variables of Hono's context in a page, besides the request id. */
export interface PageEnv {
  Variables: HttpEnv["Variables"] & {
    /** CSP nonce of the stylesheet. */
    nonce: string;
    /** CSP source to which a form of this page may redirect, besides our own origin. */
    formTarget: string | undefined;
    /** The value of the form cookie, once this response sets one. */
    formCookie: string | undefined;
    /** The fields of a form that passed its checks. */
    form: URLSearchParams;
  };
}

export type PageContext = Context<PageEnv>;
