import type { IncomingMessage } from "node:http";
import { DatabaseError } from "pg";
import type { Controls } from "./controls.ts";
import { startEndpoint, type Exchange } from "./endpoint.ts";
import type { JsonAnswer, RunningServer } from "./http-server.ts";
import { createNeonBackend, type NeonBackend, type Statement, type StatementResult } from "./neon-backend.ts";
import { sqlLabel } from "./sql-labels.ts";

/** Neon's limit for the body of a request and of a response over HTTP. */
const MAX_BYTES = 64 * 1024 * 1024;

const ISOLATION_LEVELS: Record<string, string> = {
  ReadUncommitted: "READ UNCOMMITTED",
  ReadCommitted: "READ COMMITTED",
  RepeatableRead: "REPEATABLE READ",
  Serializable: "SERIALIZABLE",
};

/** The fields of an error answer besides `message`; null where Postgres sent nothing. */
const ERROR_FIELDS =
  "severity code detail hint position internalPosition internalQuery where schema table column dataType constraint file line routine".split(
    " ",
  );

/**
 * Serves Neon's SQL over HTTP (`POST /sql`, as its serverless driver 1.x speaks it) on 127.0.0.1 in front of any
 * Postgres. User, password and database come from the caller's `Neon-Connection-String`; host and port from
 * `postgresUrl`.
 */
export async function startNeonHttp(options: {
  postgresUrl: string;
  port?: number | undefined;
  controls: Controls;
}): Promise<RunningServer & { url: string }> {
  const backend = createNeonBackend(options.postgresUrl);
  const server = await startEndpoint({
    target: "neon",
    controls: options.controls,
    port: options.port,
    maxBodyBytes: MAX_BYTES,
    read: (request, body) => readExchange(backend, request, body),
    failure: (message) => errorBody(message),
  });
  return {
    url: `http://127.0.0.1:${server.port}/sql`,
    port: server.port,
    async stop() {
      await server.stop();
      await backend.close();
    },
  };
}

interface Query extends Statement {
  arrayMode: boolean;
}

function readExchange(backend: NeonBackend, request: IncomingMessage, body: Buffer): Exchange {
  const { headers } = request;
  if (request.method !== "POST" || request.url !== "/sql") return refuse(404, "only POST /sql exists here");
  const connectionString = headers["neon-connection-string"];
  if (typeof connectionString !== "string" || !URL.canParse(connectionString)) {
    return refuse(400, "the Neon-Connection-String header is missing or not a URL");
  }
  if (headers["neon-raw-text-output"] !== "true") {
    return refuse(400, "the local endpoint only answers with Neon-Raw-Text-Output: true");
  }

  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch (error) {
    return refuse(400, `could not parse the HTTP request body: ${(error as Error).message}`);
  }
  const arrayMode = headers["neon-array-mode"] === "true";
  const batch = (parsed as { queries?: unknown } | null)?.queries;
  const queries = (Array.isArray(batch) ? batch : [parsed]).map((query) => readQuery(query, arrayMode));
  if (!queries.every((query) => query !== undefined)) {
    return refuse(400, 'the body must be {"query", "params"} or {"queries": [{"query", "params"}, …]}');
  }
  const isolation = headers["neon-batch-isolation-level"];
  if (isolation !== undefined && ISOLATION_LEVELS[String(isolation)] === undefined) {
    return refuse(400, `Neon-Batch-Isolation-Level must be one of ${Object.keys(ISOLATION_LEVELS).join(", ")}`);
  }

  const run = async (): Promise<unknown> => {
    const [only] = queries;
    if (!Array.isArray(batch) && only !== undefined) return shape(await backend.query(connectionString, only), only);
    const results = await backend.batch(connectionString, queries, {
      isolation: ISOLATION_LEVELS[String(isolation)],
      readOnly: headers["neon-batch-read-only"] === "true",
      deferrable: headers["neon-batch-deferrable"] === "true",
    });
    return { results: results.map((result, index) => shape(result, queries[index])) };
  };
  return { labels: queries.map(({ query }) => sqlLabel(query)), execute: () => answer(run) };
}

function refuse(status: number, message: string): Exchange {
  return { labels: [], execute: async () => ({ status, json: errorBody(message) }) };
}

function readQuery(input: unknown, arrayMode: boolean): Query | undefined {
  if (typeof input !== "object" || input === null) return undefined;
  const { query, params = [], arrayMode: own = arrayMode } = input as Record<string, unknown>;
  if (typeof query !== "string" || !Array.isArray(params)) return undefined;
  return { query, params, arrayMode: own === true };
}

function shape(result: StatementResult, query: Query | undefined): unknown {
  if (query?.arrayMode) return { ...result, rowAsArray: true };
  const names = result.fields.map(({ name }) => name);
  const rows = result.rows.map((row) => Object.fromEntries(row.map((value, index) => [names[index], value])));
  return { ...result, rows, rowAsArray: false };
}

async function answer(run: () => Promise<unknown>): Promise<JsonAnswer> {
  try {
    const json = await run();
    const size = Buffer.byteLength(JSON.stringify(json));
    if (size <= MAX_BYTES) return { status: 200, json };
    return { status: 507, json: errorBody(`response is too large (max is ${MAX_BYTES} bytes)`) };
  } catch (error) {
    if (error instanceof DatabaseError) return { status: 400, json: errorBody(error.message, error) };
    return { status: 500, json: errorBody((error as Error).message) };
  }
}

function errorBody(message: string, error?: DatabaseError): Record<string, unknown> {
  const fields = ERROR_FIELDS.map((name) => [name, error?.[name as keyof DatabaseError] ?? null]);
  return { message, ...Object.fromEntries(fields) };
}
