import { neon, neonConfig } from "@neondatabase/serverless";
import { drizzle, type NeonHttpDatabase } from "drizzle-orm/neon-http";
import type { Config } from "./config.ts";
import { within } from "./deadline.ts";

/** A database reached over Neon's HTTP driver: each statement or batch is one request; there are no interactive transactions. */
export type Db = NeonHttpDatabase;

/** One connection setting for each kind of work, so that reports never slow down logins. */
export interface Databases {
  write: Db;
  read: Db;
  analytics: Db;
}

const POSTGRES_TIMEOUT_MS = 5_000;

/** Connects to the write, read-replica and analytics databases; opens nothing until the first statement. */
export function connectDatabases(
  config: Pick<Config, "DATABASE_URL" | "DATABASE_READ_URL" | "DATABASE_ANALYTICS_URL" | "NEON_HTTP_ENDPOINT">,
): Databases {
  if (config.NEON_HTTP_ENDPOINT) neonConfig.fetchEndpoint = config.NEON_HTTP_ENDPOINT;
  // With its body: an answer that stops half-way is no answer.
  neonConfig.fetchFunction = (url: string, init: RequestInit) =>
    within(POSTGRES_TIMEOUT_MS, async (signal) => {
      const response = await fetch(url, { ...init, signal });
      return new Response(await response.arrayBuffer(), response);
    });
  const connected = new Map<string, Db>();
  const connect = (url: string): Db => {
    const known = connected.get(url);
    if (known) return known;
    const db = drizzle(neon(url));
    connected.set(url, db);
    return db;
  };
  return {
    write: connect(config.DATABASE_URL),
    read: connect(config.DATABASE_READ_URL),
    analytics: connect(config.DATABASE_ANALYTICS_URL),
  };
}
