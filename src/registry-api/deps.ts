import type { CallerDeps } from "../http/caller.ts";
import type { LocalBuckets } from "../limits/local.ts";
import type { Config } from "../platform/config.ts";
import type { Databases } from "../platform/postgres/db.ts";
import type { Outbound } from "../platform/outbound/outbound.ts";
import type { RegistryMemory } from "../registry/reading/answer-cache.ts";

/** The dependencies of the MCP Registry API. */
export interface RegistryApiDeps extends CallerDeps {
  config: Pick<
    Config,
    "BASE_URL" | "BETTER_AUTH_SECRETS" | "ENVIRONMENT" | "GITHUB_CLIENT_ID" | "GITHUB_CLIENT_SECRET" | "OUTBOUND_ALLOW"
  >;
  databases: Databases;
  /** Requests to public hosts only; follows no redirect. */
  outbound: Outbound;
  /** The TXT records of a name, by DNS over HTTPS. */
  textRecords: (name: string) => Promise<string[]>;
  background: (work: Promise<unknown>) => void;
  version: string;
  /** What this isolate caches of the registry. */
  published: RegistryMemory;
}

/**
 * The same, with the rate limits of requests that do not pass admission; they are counted in this isolate, without a
 * round trip.
 */
export interface PlaneDeps extends RegistryApiDeps {
  publishing: LocalBuckets;
}
