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
import type { Redis } from "../platform/redis.ts";
import { routesFor } from "../platform/route.ts";

/** What the management API runs on. */
export interface ApiDeps extends AuthenticateDeps {
  config: Pick<Config, "BASE_URL" | "LIMITS" | "SCOPES" | "REQUIRE_PKCE">;
  admit: (claim: Claim, request: AdmissionRequest, now: number) => Promise<Admission>;
  journal: Pick<Journal, "record" | "used">;
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
}

export const route = routesFor<ApiDeps, Principal>();
