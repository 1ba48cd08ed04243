import type { AuthenticateDeps } from "../access/authenticate.ts";
import type { Principal } from "../access/principal.ts";
import type { GrantDeps } from "../grants/revocation.ts";
import type { Config } from "../platform/config.ts";
import type { Databases } from "../platform/db.ts";
import type { Log } from "../platform/log.ts";
import type { Redis } from "../platform/redis.ts";
import { routesFor } from "../platform/route.ts";

/** What the management API runs on. */
export interface ApiDeps extends AuthenticateDeps {
  config: Pick<Config, "BASE_URL" | "SCOPES" | "REQUIRE_PKCE">;
  grants: GrantDeps & AuthenticateDeps["grants"];
  databases: Databases;
  redis: Pick<Redis, "ping">;
  log: Log;
  now: () => number;
  version: string;
}

export const route = routesFor<ApiDeps, Principal>();
