import type { Principal } from "../access/principal.ts";
import type { SendMail } from "../platform/mail.ts";
import type { GrantDeps } from "../grants/revocation.ts";
import type { CallerDeps } from "../http/caller.ts";
import { routesFor } from "../http/route.ts";
import type { FlushOutbox } from "../platform/outbox.ts";
import type { Config } from "../platform/config.ts";
import type { Databases } from "../platform/postgres/db.ts";
import type { Outbound } from "../platform/outbound/outbound.ts";
import type { Redis } from "../platform/redis/redis.ts";
import type { RegistryMemory } from "../registry/reading/answer-cache.ts";

/** The dependencies of the management API. */
export interface ApiDeps extends CallerDeps {
  config: Pick<
    Config,
    | "BASE_URL"
    | "BETTER_AUTH_SECRETS"
    | "GITHUB_CLIENT_ID"
    | "GITHUB_CLIENT_SECRET"
    | "LIMITS"
    | "OUTBOUND_ALLOW"
    | "REQUIRE_PKCE"
    | "SCOPES"
  >;
  /** Requests to public hosts only; follows no redirect. */
  outbound: Outbound;
  /** The TXT records of a name, by DNS over HTTPS. */
  textRecords: (name: string) => Promise<string[]>;
  grants: GrantDeps;
  databases: Databases;
  redis: Pick<Redis, "ping">;
  /** Sends committed changes of credentials to Redis. */
  flushOutbox: FlushOutbox;
  sendMail: SendMail;
  background: (work: Promise<unknown>) => void;
  version: string;
  /** What this isolate caches of the registry. */
  published: RegistryMemory;
  /** The OpenAPI document of every JSON route of the gateway. */
  openApi: () => Record<string, unknown>;
}

/** Callers of this plane authenticate with a credential, except on routes for anyone. */
export interface ApiCallers {
  principal: Principal;
  reader: never;
  publisher: never;
}

export const route = routesFor<ApiDeps, ApiCallers>();
