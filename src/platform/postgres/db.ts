import { neon, neonConfig } from "@neondatabase/serverless";
import { drizzle, type NeonHttpDatabase } from "drizzle-orm/neon-http";
import type { Config } from "../config.ts";
import { within } from "../deadline.ts";
import { Unavailable } from "../errors.ts";

/**
 * A database through Neon's HTTP driver: each statement or batch is one request; there are no interactive transactions.
 */
export type Db = NeonHttpDatabase;

/** One connection per kind of work, so that reports do not slow down sign-ins. */
export interface Databases {
  write: Db;
  read: Db;
  analytics: Db;
}

const POSTGRES_TIMEOUT_MS = 5_000;

/** Creates the write, read-replica and analytics databases. It sends nothing before the first statement. */
export function connectDatabases(
  config: Pick<Config, "DATABASE_URL" | "DATABASE_READ_URL" | "DATABASE_ANALYTICS_URL" | "NEON_HTTP_ENDPOINT">,
): Databases {
  if (config.NEON_HTTP_ENDPOINT) neonConfig.fetchEndpoint = config.NEON_HTTP_ENDPOINT;
  neonConfig.fetchFunction = (url: string, init: RequestInit) => askPostgres(url, init);
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

/** The part of a response that Neon's driver reads. */
interface DriverResponse {
  ok: boolean;
  status: number;
  json: () => Promise<unknown>;
  text: () => Promise<string>;
}

/** SQLSTATE classes of temporary errors: connection, resources, operator intervention, rollback. */
const TRANSIENT_STATES = /^(08|53|57|40)/;

/**
 * Sends one request to Neon's SQL over HTTP and reads the whole body, so that a truncated answer is an error. Throws
 * {@link Unavailable} unless Postgres itself answered: with rows, or with an error of the statement (400 with an
 * SQLSTATE), which the driver then throws.
 */
export async function askPostgres(
  url: string,
  init: RequestInit,
  fetcher: typeof fetch = fetch,
): Promise<DriverResponse> {
  const [{ ok, status }, text] = await within(POSTGRES_TIMEOUT_MS, async (signal) => {
    const response = await fetcher(url, { ...init, signal });
    return [response, await response.text()] as const;
  }).catch((cause: unknown) => {
    throw new Unavailable("Postgres did not answer.", { cause });
  });
  if (!ok && status !== 400) throw new Unavailable(`Postgres did not answer: status ${status}.`);
  const answer = parse(text);
  if (answer === undefined) throw new Unavailable(`Postgres sent an answer that cannot be read (status ${status}).`);
  if (ok ? !("rows" in answer || "results" in answer) : isTransient(answer))
    throw new Unavailable(`Postgres refused the request: ${messageOf(answer)}`);
  return { ok, status, json: () => Promise.resolve(answer), text: () => Promise.resolve(text) };
}

function parse(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether an error is temporary. One without an SQLSTATE comes from the proxy in front of Postgres. */
const isTransient = (answer: object) =>
  !("code" in answer) || typeof answer.code !== "string" || TRANSIENT_STATES.test(answer.code);

function messageOf(answer: object): string {
  const code = "code" in answer && typeof answer.code === "string" ? `${answer.code} ` : "";
  return `${code}${"message" in answer && typeof answer.message === "string" ? answer.message.slice(0, 200) : "no reason given"}`;
}
