import type { Admission, AdmissionRequest } from "../access/admission.ts";
import type { AuthenticateDeps, Claim } from "../access/authenticate.ts";
import type { Journal } from "../audit/journal.ts";
import type { Principal } from "../access/principal.ts";
import type { GrantDeps } from "../grants/revocation.ts";
import type { SendMail } from "../auth/mail.ts";
import type { PublishChanges } from "../platform/changes.ts";
import type { Config } from "../platform/config.ts";
import type { Databases } from "../platform/db.ts";
import type { Log } from "../platform/log.ts";
import type { Outbound } from "../platform/outbound.ts";
import type { Redis } from "../platform/redis.ts";
import { routesFor } from "../platform/route.ts";
import type { RegistryMemory } from "../registry/answer-cache.ts";

/** What the management API runs on. */
export interface ApiDeps extends AuthenticateDeps {
  config: Pick<
    Config,
    | "BASE_URL"
    | "BETTER_AUTH_SECRETS"
    | "ENVIRONMENT"
    | "GITHUB_CLIENT_ID"
    | "GITHUB_CLIENT_SECRET"
    | "LIMITS"
    | "OUTBOUND_ALLOW"
    | "REQUIRE_PKCE"
    | "SCOPES"
  >;
  /** Asks public hosts only, and follows no redirect. */
  outbound: Outbound;
  /** The TXT records of a name, by DNS over HTTPS. */
  textRecords: (name: string) => Promise<string[]>;
  admit: (claim: Claim, request: AdmissionRequest, now: number) => Promise<Admission>;
  journal: Pick<Journal, "record" | "tried" | "used">;
  grants: GrantDeps;
  databases: Databases;
  redis: Pick<Redis, "ping">;
  /** Brings committed changes of credentials to Redis. */
  publish: PublishChanges;
  sendMail: SendMail;
  background: (work: Promise<unknown>) => void;
  log: Log;
  now: () => number;
  version: string;
  /** What this isolate keeps of the registry. */
  published: RegistryMemory;
}

export const route = routesFor<ApiDeps, Principal>();
