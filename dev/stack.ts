import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import pg from "pg";
import { applyMigrations, setRolePassword } from "../commands/migrations.ts";
import { redisKeys } from "../src/platform/redis/redis.ts";
import { createControls, startControls } from "./controls.ts";
import { startNeonHttp } from "./neon-http.ts";
import { startEmbeddedPostgres } from "./postgres.ts";
import { startEmbeddedRedis } from "./redis.ts";
import { newSeedSecrets, seed, type Seeded, type SeedSecrets } from "./seed.ts";
import { developmentSettings, newSecrets, type StackSecrets } from "./settings.ts";
import { startUpstashRest } from "./upstash-rest.ts";
import { startDemoUpstreams } from "./upstreams/demo-upstreams.ts";

export interface StackOptions {
  /** Holds Postgres' data, the secrets of this installation and `stack.json`. */
  directory: string;
  baseUrl: string;
  /** A real server to use instead of the embedded one; as owner, with the database to use. */
  postgresUrl?: string | undefined;
  redisUrl?: string | undefined;
  /** Put before every key in Redis, so that several stacks can share a real one. */
  redisPrefix?: string | undefined;
  log: (line: string) => void;
}

/** Everything that the Worker needs, running on this machine. */
export interface Stack extends Seeded {
  /** The Worker's variables. */
  settings: Record<string, string>;
  /** TCP, as owner. */
  databaseUrl: string;
  neonEndpoint: string;
  redisUrl: string;
  upstashUrl: string;
  upstashToken: string;
  mailbox: string;
  controls: string;
  upstreams: { slug: string; url: string }[];
  stop: () => Promise<void>;
}

const DATABASE = "gateway";

const UNKNOWN_HISTORY = `The local database has migrations that this version does not know. Start again with: npm start -- --fresh
This deletes the data of the local stack. If POSTGRES_URL is set, let it name an empty database instead.`;

/**
 * Starts Postgres and Redis (embedded unless given) behind the two HTTP endpoints, migrates, starts the demo upstreams
 * and seeds.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const directory = resolve(options.directory);
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const secrets = readSecrets(directory);
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const end of stops.toReversed()) await end();
    stops.length = 0;
  };
  const started = <T extends { stop: () => Promise<void> }>(part: T): T => {
    stops.push(() => part.stop());
    return part;
  };
  try {
    const databaseUrl = options.postgresUrl ?? (await embeddedDatabase(directory, options.log, started));
    const redisUrl = options.redisUrl ?? started(await startEmbeddedRedis()).url;
    const prefix = options.redisPrefix === undefined ? {} : { keyPrefix: options.redisPrefix };
    const controls = createControls();
    const neon = started(await startNeonHttp({ postgresUrl: databaseUrl, controls }));
    const upstashToken = secrets.upstashToken;
    const upstash = started(await startUpstashRest({ redisUrl, token: upstashToken, ...prefix, controls }));
    const panel = started(await startControls({ controls, redisUrl, ...prefix, mailboxKey: redisKeys.mailbox }));
    if ((await applyMigrations(databaseUrl)).kind === "unknown") throw new Error(UNKNOWN_HISTORY);
    const appUrl = appConnection(databaseUrl);
    await setRolePassword(databaseUrl, "mrg_app", appUrl.password);
    const demo = started(await startDemoUpstreams());
    const upstreams = [demo.everything, demo.notes].map(({ slug, url }) => ({ slug, url }));
    const settings = developmentSettings(
      {
        baseUrl: options.baseUrl,
        databaseUrl: appUrl.href,
        neonEndpoint: neon.url,
        upstashUrl: upstash.url,
        upstashToken,
      },
      secrets,
      {
        ADMIN_EMAILS: secrets.seed.admin.email,
        OUTBOUND_ALLOW: upstreams.map(({ url }) => new URL(url).host).join(","),
      },
    );
    const seeded = await seed(settings, secrets.seed, upstreams);
    return {
      ...seeded,
      settings,
      databaseUrl,
      neonEndpoint: neon.url,
      redisUrl,
      upstashUrl: upstash.url,
      upstashToken,
      mailbox: `${panel.url}/mailbox`,
      controls: panel.url,
      upstreams,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function embeddedDatabase(
  directory: string,
  log: (line: string) => void,
  started: <T extends { stop: () => Promise<void> }>(part: T) => T,
): Promise<string> {
  const postgres = started(await startEmbeddedPostgres({ dataDir: join(directory, "pg"), log }));
  return createDatabase(postgres.url, DATABASE);
}

/** Creates the database unless it exists; returns its owner URL. */
async function createDatabase(serverUrl: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query("select 1 from pg_database where datname = $1", [name]);
    if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/**
 * Sets the password of the Worker's role; the Worker never connects as the owner. It is derived from the owner's
 * password, so two stacks on one server have the same.
 */
function appConnection(ownerUrl: string): URL {
  const url = new URL(ownerUrl);
  const password = createHash("sha256").update(`mrg_app ${url.host} ${url.password}`).digest("hex");
  url.username = "mrg_app";
  url.password = password;
  return url;
}

type InstallationSecrets = StackSecrets & { upstashToken: string; seed: SeedSecrets };

/**
 * The secrets of this installation, created at the first start, so that sessions, keys and sealed values survive a
 * restart.
 */
function readSecrets(directory: string): InstallationSecrets {
  const path = join(directory, "secrets.json");
  if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8")) as InstallationSecrets;
  const generated = newSecrets();
  const secrets = { ...generated, upstashToken: newSecrets().betterAuth, seed: newSeedSecrets() };
  writeFileSync(path, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  return secrets;
}
