import type { CallerDeps } from "../http/caller.ts";
import type { LocalBuckets } from "../limits/local.ts";
import type { Config } from "../platform/config.ts";
import type { Databases } from "../platform/postgres/db.ts";
import type { Outbound } from "../platform/outbound/outbound.ts";
import type { RegistryMemory } from "../registry/reading/answer-cache.ts";

/** What the MCP Registry API runs on. */
export interface RegistryApiDeps extends CallerDeps {
  config: Pick<
    Config,
    "BASE_URL" | "BETTER_AUTH_SECRETS" | "ENVIRONMENT" | "GITHUB_CLIENT_ID" | "GITHUB_CLIENT_SECRET" | "OUTBOUND_ALLOW"
  >;
  databases: Databases;
  /** Asks public hosts only, and follows no redirect. */
  outbound: Outbound;
  /** The TXT records of a name, by DNS over HTTPS. */
  textRecords: (name: string) => Promise<string[]>;
  background: (work: Promise<unknown>) => void;
  version: string;
  /** What this isolate keeps of the registry. */
  published: RegistryMemory;
}

/** The same, with what counts requests that admission does not see, in this isolate and without a round trip. */
export interface PlaneDeps extends RegistryApiDeps {
  publishing: LocalBuckets;
}
