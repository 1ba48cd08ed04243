import { sql } from "drizzle-orm";
import pg from "pg";
import { keyTableChecklist, type ChecklistItem, type RunStatement } from "../src/keys/legacy/checklist.ts";
import { parseConfig, type Config } from "../src/platform/config.ts";
import { connectDatabases } from "../src/platform/postgres/db.ts";
import { connectRedis } from "../src/platform/redis/redis.ts";
import { SCHEMA_VERSION } from "../src/platform/version.ts";

const CONNECT_MS = 5_000;

/** Settings by name. Their values are never part of the output. */
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Checks the settings and everything that they point to: Redis, Postgres over HTTP as the Worker and over TCP as the
 * owner (`MIGRATION_DATABASE_URL`), the schema version and the checklist of the key tables. A failed check does not
 * stop the others.
 */
export async function examine(env: Environment): Promise<ChecklistItem[]> {
  const parsed = parseConfig(env);
  const items = "problems" in parsed ? parsed.problems.map(wrongSetting) : await examineWorker(parsed.config);
  const ownerUrl = env["MIGRATION_DATABASE_URL"];
  if (ownerUrl) return [...items, ...(await examineAsOwner(ownerUrl))];
  if ("problems" in parsed) return items;
  return [...items, ...(await examineSchema(overHttp(parsed.config)))];
}

const wrongSetting = ({ name, problem }: { name: string; problem: string }): ChecklistItem => ({
  name: `setting ${name}`,
  ok: false,
  found: problem,
  todo: `set ${name}; the README describes each setting, and how to generate secrets`,
});

async function examineWorker(config: Config): Promise<ChecklistItem[]> {
  const redis = connectRedis(config);
  const run = overHttp(config);
  return [
    { name: "the settings are valid", ok: true, found: `for ${config.BASE_URL}` },
    await answers("Redis answers", () => redis.ping(), "check UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN"),
    await answers(
      "Postgres answers the Worker over HTTP",
      () => run("select 1"),
      "check DATABASE_URL and its role's password",
    ),
  ];
}

async function examineAsOwner(url: string): Promise<ChecklistItem[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
  try {
    const connected = await answers(
      "Postgres answers its owner over TCP",
      () => client.connect(),
      "check MIGRATION_DATABASE_URL",
    );
    if (!connected.ok) return [connected];
    const run: RunStatement = async (statement) => (await client.query<Record<string, unknown>>(statement)).rows;
    return [connected, ...(await examineSchema(run))];
  } finally {
    await client.end().catch(() => undefined);
  }
}

const overHttp = (config: Config): RunStatement => {
  const db = connectDatabases(config).write;
  return async (statement) => (await db.execute(sql.raw(statement))).rows;
};

async function examineSchema(run: RunStatement): Promise<ChecklistItem[]> {
  try {
    return [await schemaVersion(run), ...(await keyTableChecklist(run))];
  } catch (error) {
    return [failed("the database can be examined", error, "see the lines above, and the database's log")];
  }
}

async function schemaVersion(run: RunStatement): Promise<ChecklistItem> {
  const [list] = await run("select to_regclass('drizzle.__drizzle_migrations') is not null as there");
  const [row] =
    list?.["there"] === true ? await run("select count(*)::int as applied from drizzle.__drizzle_migrations") : [];
  const applied = Number(row?.["applied"] ?? 0);
  const item = {
    name: "the schema is the one that this release expects",
    found: `${applied} of ${SCHEMA_VERSION} migrations`,
  };
  if (applied === SCHEMA_VERSION) return { ...item, ok: true };
  const todo =
    applied < SCHEMA_VERSION
      ? "npm run db:migrate, or for an old database first npm run legacy:import"
      : "deploy the release that belongs to it";
  return { ...item, ok: false, todo };
}

async function answers(name: string, ask: () => Promise<unknown>, todo: string): Promise<ChecklistItem> {
  try {
    await ask();
    return { name, ok: true, found: "yes" };
  } catch (error) {
    return failed(name, error, todo);
  }
}

/** A failed check. Drivers put the reason into the cause of the error, or into the first of several errors. */
function failed(name: string, error: unknown, todo: string): ChecklistItem {
  const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const cause = inner instanceof Error && inner.cause instanceof Error ? inner.cause : inner;
  return { name, ok: false, found: cause instanceof Error ? cause.message : "it failed", todo };
}
