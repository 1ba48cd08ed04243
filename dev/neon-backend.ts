import { DatabaseError, Pool, type Client, type PoolClient, type QueryArrayConfig } from "pg";

/** One statement as the Neon driver sends it: parameters are Postgres text already, except from callers of raw JSON. */
export interface Statement {
  query: string;
  params: unknown[];
}

/** The result of one statement; every value is Postgres text or null. */
export interface StatementResult {
  command: string;
  rowCount: number | null;
  fields: {
    name: string;
    dataTypeID: number;
    tableID: number;
    columnID: number;
    dataTypeSize: number;
    dataTypeModifier: number;
    format: "text";
  }[];
  rows: (string | null)[][];
}

/** The transaction that a batch runs in. */
interface BatchOptions {
  isolation?: string | undefined;
  readOnly: boolean;
  deferrable: boolean;
}

/**
 * Runs statements on Postgres, each call as if in a session of its own. Errors of the database are `DatabaseError` of
 * pg.
 */
export interface NeonBackend {
  query(connectionString: string, statement: Statement): Promise<StatementResult>;
  /** All statements in one transaction: rolled back at the first error, which is thrown. */
  batch(connectionString: string, statements: Statement[], options: BatchOptions): Promise<StatementResult[]>;
  /** Ends all sessions; those that still run a query are cut off. */
  close(): Promise<void>;
}

const RAW_TEXT = { getTypeParser: () => (value: unknown) => value };
// Other commands (SET, BEGIN, LISTEN, PREPARE, …) leave something behind in the session.
const LEAVES_NOTHING = new Set(["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "ALTER", "DROP"]);
const MAY_LEAVE_SESSION_STATE = /\b(?:set_config|pg_(?:try_)?advisory_lock\w*|setseed|temp|temporary)\b/i;

/**
 * A pool per user, password and database, all of which the caller's connection string names; host and port are those of
 * `postgresUrl`. So databases per test and roles with row-level security work without any configuration here.
 */
export function createNeonBackend(postgresUrl: string): NeonBackend {
  const server = new URL(postgresUrl);
  const pools = new Map<string, Pool>();
  const busy = new Set<PoolClient>();

  function poolFor(connectionString: string): Pool {
    const { username, password, pathname } = new URL(connectionString);
    const key = `${username}:${password}${pathname}`;
    const existing = pools.get(key);
    if (existing !== undefined) return existing;
    const pool = new Pool({
      host: server.hostname,
      port: Number(server.port || 5432),
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      database: decodeURIComponent(pathname.slice(1)),
      max: 10,
      idleTimeoutMillis: 10_000,
      application_name: "neon-http-local",
    });
    pool.on("error", ignore);
    pools.set(key, pool);
    return pool;
  }

  /** `run` returns what is to happen to the session afterwards; a thrown error other than a plain SQL error ends it. */
  async function inSession<T>(
    connectionString: string,
    run: (client: PoolClient) => Promise<[T, Session]>,
  ): Promise<T> {
    const client = await poolFor(connectionString).connect();
    busy.add(client);
    client.on("error", ignore);
    let session: Session = "end";
    try {
      const [result, after] = await run(client);
      if (after === "discard") await client.query("DISCARD ALL");
      session = after;
      return result;
    } catch (error) {
      if (error instanceof DatabaseError && !/^(?:57|08|25P)/.test(error.code ?? "57")) session = "keep";
      throw error;
    } finally {
      busy.delete(client);
      client.off("error", ignore);
      client.release(session === "end");
    }
  }

  return {
    query: (connectionString, statement) =>
      inSession(connectionString, async (client) => {
        const result = await execute(client, statement);
        if (!LEAVES_NOTHING.has(result.command)) return [result, "end"];
        return [result, MAY_LEAVE_SESSION_STATE.test(statement.query) ? "discard" : "keep"];
      }),
    batch: (connectionString, statements, options) =>
      inSession(connectionString, async (client) => {
        await client.query(beginSql(options));
        const results: StatementResult[] = [];
        try {
          for (const statement of statements) results.push(await execute(client, statement));
        } catch (error) {
          await client.query("ROLLBACK");
          throw error;
        }
        await client.query("COMMIT");
        if (!results.every(({ command }) => LEAVES_NOTHING.has(command))) return [results, "end"];
        return [results, statements.some(({ query }) => MAY_LEAVE_SESSION_STATE.test(query)) ? "discard" : "keep"];
      }),
    async close() {
      const ended = [...pools.values()].map((pool) => pool.end());
      // `end` of a client that runs a query closes its socket, so the pool need not wait for the query.
      for (const client of busy) void (client as unknown as Client).end().catch(() => {});
      await Promise.all(ended);
    },
  };
}

type Session = "keep" | "discard" | "end";

/** The server ended a session between two queries: the next query on it fails, and the pool drops it. */
function ignore(): void {}

async function execute(client: PoolClient, { query, params }: Statement): Promise<StatementResult> {
  // Without "extended", pg sends a query without parameters by the simple protocol, where several statements in one
  // string work; Neon refuses them (42601).
  const config: QueryArrayConfig & { queryMode: "extended" } = {
    text: query,
    values: params.map(toText),
    rowMode: "array",
    types: RAW_TEXT,
    queryMode: "extended",
  };
  const { command, rowCount, fields, rows } = await client.query<(string | null)[]>(config);
  return {
    command: command ?? "",
    rowCount,
    fields: fields.map(({ name, dataTypeID, tableID, columnID, dataTypeSize, dataTypeModifier }) => ({
      name,
      dataTypeID,
      tableID,
      columnID,
      dataTypeSize,
      dataTypeModifier,
      format: "text",
    })),
    rows,
  };
}

function beginSql({ isolation, readOnly, deferrable }: BatchOptions): string {
  return `BEGIN${isolation ? ` ISOLATION LEVEL ${isolation}` : ""}${readOnly ? " READ ONLY" : ""}${deferrable ? " DEFERRABLE" : ""}`;
}

/** A JSON parameter as Postgres text, as Neon's proxy converts it: objects to JSON, arrays to `{…}`. */
function toText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return toArrayText(value);
  return JSON.stringify(value);
}

function toArrayText(value: unknown): string {
  if (value === null) return "NULL";
  if (Array.isArray(value)) return `{${value.map(toArrayText).join(",")}}`;
  const text = JSON.stringify(value);
  return typeof value === "object" ? JSON.stringify(text) : text;
}
