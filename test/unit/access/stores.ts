import type { SQL } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import type { AdmitDeps } from "../../../src/access/admission/admit.ts";
import { ADMIT, LOCATE } from "../../../src/access/admission/script.ts";
import { recordMemory } from "../../../src/access/credential/memory.ts";
import { localBuckets } from "../../../src/limits/local.ts";
import type { Db } from "../../../src/platform/postgres/db.ts";
import { DeadlineExceeded } from "../../../src/platform/deadline.ts";
import { Unavailable } from "../../../src/platform/errors.ts";
import { RedisUnavailable, type RunScript } from "../../../src/platform/redis/script.ts";

export const GUESSES = { perMinute: 60, burst: 5 };

/** Postgres as it is when nobody reaches it. */
export class PostgresDown extends Unavailable {}

/** A lost answer. */
export const lost = () => new RedisUnavailable("Redis did not answer.", { cause: new TypeError("fetch failed") });

/** An answer that did not come in time. */
export const late = () => new RedisUnavailable("Redis did not answer.", { cause: new DeadlineExceeded("250 ms") });

/** A row of the statement that reads a key; a grant's has the columns that they share. */
export const ROW = {
  id: "key-1",
  name: "laptop" as string | null,
  user_id: "user-1" as string | null,
  tenant_id: "tenant-1",
  chain_id: "chain-1",
  version: "3",
  tenant_epoch: "5",
  user_epoch: "7",
  permissions: '{"mcp":["tools"]}' as string | null,
  works: true,
  is_administrator: false,
  expires_at: null as number | null,
  disabled_until: null as number | null,
  addresses: null as string[] | null,
  servers: null as string[] | null,
  tools: null as string[] | null,
  per_minute: null as number | null,
  burst: null as number | null,
  quota_max: null as string | null,
  period: null as string | null,
  period_ends: null as number | null,
  used: null as string | null,
  limits: null as unknown,
};

type Rows = readonly Readonly<Record<string, unknown>>[];

/** A Redis and a Postgres that answer from a list, one after the other, and keep what they were asked. An error in the list is thrown. */
export function stores({ redis = [], postgres = [] }: { redis?: unknown[]; postgres?: (Rows | Error)[] } = {}) {
  const dialect = new PgDialect();
  const asked = {
    scripts: [] as { name: string; keys: readonly string[]; args: readonly string[] }[],
    statements: [] as { sql: string; params: unknown[] }[],
    adopted: [] as string[],
    logged: [] as string[],
  };
  const next = (answers: unknown[], which: string): unknown => {
    if (answers.length === 0) throw new Error(`${which} is asked more often than foreseen`);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const nameOf = (script: Parameters<RunScript>[0]) =>
    script === ADMIT ? "admit" : script === LOCATE ? "locate" : "other";
  const deps: AdmitDeps = {
    runScript: async (script, keys, args) => {
      asked.scripts.push({ name: nameOf(script), keys, args });
      return next(redis, "Redis");
    },
    db: {
      execute: async (statement: SQL) => {
        asked.statements.push(dialect.sqlToQuery(statement));
        return { rows: next(postgres, "Postgres") };
      },
    } as unknown as Pick<Db, "execute">,
    limits: {},
    memory: recordMemory(10),
    local: localBuckets(100),
    guesses: GUESSES,
    adoptLegacyKey: undefined,
    log: (level, event) => asked.logged.push(`${level} ${event}`),
  };
  /** How many requests each store had, and whether it has answers left. */
  const counts = () => ({
    redis: asked.scripts.length,
    sql: asked.statements.length,
    left: redis.length + postgres.length,
  });
  return { deps, asked, counts };
}
