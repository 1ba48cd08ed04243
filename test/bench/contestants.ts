import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { freePort } from "../../dev/free-port.ts";
import { newAccessTokens, newApiKeys } from "./credentials.ts";
import type { KvStub } from "./kv.ts";
import { createCaller, type Caller } from "./load.ts";
import type { BenchStack } from "./stack.ts";
import { bundleWorker, firstAnswer, startWorkerd, type Bundle, type Workerd, type WorkerdOptions } from "./workerd.ts";

/** The short names in tables, in `bench.json` and in the goals. */
export type Name =
  | "bare"
  | "bare again"
  | "bare + PING"
  | "gateway, key"
  | "gateway, token"
  | "verifyApiKey + limits"
  | "JWT + limits"
  | "oauth-provider";

/** A Worker to be measured, with those who call it. */
export interface Contestant {
  name: Name;
  workerd: WorkerdOptions;
  credentials: readonly Readonly<Record<string, string>>[];
}

/** A contestant whose workerd is up. */
export interface Running extends Contestant {
  process: Workerd;
  caller: Caller;
  stop: () => Promise<void>;
}

const WORKERS = join(import.meta.dirname, "workers");
const ENTRIES = {
  gateway: join(import.meta.dirname, "../../src/index.ts"),
  bare: join(WORKERS, "bare.ts"),
  ping: join(WORKERS, "ping.ts"),
  apiKey: join(WORKERS, "api-key.ts"),
  accessToken: join(WORKERS, "access-token.ts"),
  oauthProvider: join(WORKERS, "oauth-provider.ts"),
};
const LIMIT = { perMinute: 10_000_000, burst: 1_000_000 };
/** High enough that no call is refused. */
const LIMITS = { credential: LIMIT, user: LIMIT, tenant: LIMIT, tool: LIMIT, gateway: LIMIT, address: LIMIT };
const BUNDLES_AT_ONCE = 2;

type Bundles = Record<keyof typeof ENTRIES, Bundle>;

async function bundles(directory: string): Promise<Bundles> {
  const open = Object.entries(ENTRIES);
  const made: [string, Bundle][] = [];
  const work = async () => {
    for (let next = open.pop(); next; next = open.pop()) {
      const [name, entry] = next;
      made.push([name, await bundleWorker(entry, join(directory, name))]);
    }
  };
  await Promise.all(Array.from({ length: BUNDLES_AT_ONCE }, work));
  return Object.fromEntries(made) as Bundles;
}

/** Bundles all Workers and makes the credentials that they are called with. */
export async function contestants(stack: BenchStack, kv: KvStub, directory: string): Promise<Contestant[]> {
  const made = await bundles(directory);
  const place = async () => {
    const port = await freePort();
    return { port, BASE_URL: `http://127.0.0.1:${port}` };
  };
  const gateway = await place();
  const settings = {
    ...stack.settings,
    BASE_URL: gateway.BASE_URL,
    ACCESS_TOKEN_TTL: "3600",
    LIMITS: JSON.stringify(LIMITS),
  };
  const byKey = { bundle: made.gateway, port: gateway.port, settings };
  const keys = await newApiKeys(settings);
  const { tokens, jwks } = await whileRunning(byKey, async ({ url }) => ({
    tokens: await newAccessTokens({
      url,
      paths: {
        register: "/api/auth/oauth2/register",
        authorize: "/api/auth/oauth2/authorize",
        token: "/api/auth/oauth2/token",
      },
      resource: `${url}/mcp`,
      login: stack.user,
    }),
    jwks: await (await fetch(`${url}/api/auth/jwks`)).text(),
  }));
  const provider = await place();
  const byProvider = {
    bundle: made.oauthProvider,
    port: provider.port,
    settings: { BASE_URL: provider.BASE_URL },
    kvPort: kv.port,
  };
  const providerTokens = await whileRunning(byProvider, ({ url }) =>
    newAccessTokens({
      url,
      paths: { register: "/register", authorize: "/authorize", token: "/token" },
      resource: `${url}/mcp`,
      login: stack.user,
    }),
  );
  const plain = async (name: Name, bundle: Bundle, more: Record<string, string> = {}): Promise<Contestant> => ({
    name,
    workerd: { bundle, port: await freePort(), settings: { ...pick(settings, SHARED), ...more } },
    credentials: [{}],
  });
  return [
    await plain("bare", made.bare),
    await plain("bare again", made.bare),
    await plain("bare + PING", made.ping),
    { name: "gateway, key", workerd: byKey, credentials: keys },
    { name: "gateway, token", workerd: { ...byKey, port: await freePort() }, credentials: tokens },
    {
      ...(await plain("verifyApiKey + limits", made.apiKey, { BETTER_AUTH_SECRET: randomBytes(32).toString("hex") })),
      credentials: keys,
    },
    { ...(await plain("JWT + limits", made.accessToken, { JWKS: jwks })), credentials: tokens },
    { name: "oauth-provider", workerd: byProvider, credentials: providerTokens },
  ];
}

const SHARED = [
  "BASE_URL",
  "DATABASE_URL",
  "NEON_HTTP_ENDPOINT",
  "UPSTASH_REDIS_REST_URL",
  "UPSTASH_REDIS_REST_TOKEN",
] as const;

const pick = (settings: Readonly<Record<string, string>>, names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, settings[name] ?? ""]));

async function whileRunning<T>(options: WorkerdOptions, work: (workerd: Workerd) => Promise<T>): Promise<T> {
  const workerd = startWorkerd(options);
  try {
    await firstAnswer(() => listening(workerd.url));
    return await work(workerd);
  } finally {
    await workerd.stop();
  }
}

async function listening(url: string): Promise<void> {
  try {
    await (await fetch(`${url}/.well-known/oauth-authorization-server`)).body?.cancel();
  } catch (error) {
    throw error instanceof Error && error.cause !== undefined ? error.cause : error;
  }
}

/** Starts a contestant and waits for its first answer. */
export async function start(contestant: Contestant): Promise<Running> {
  const process = startWorkerd(contestant.workerd);
  const caller = createCaller(process.url, contestant.credentials);
  const stop = async () => {
    caller.stop();
    await process.stop();
  };
  try {
    await firstAnswer(caller.call);
  } catch (error) {
    await stop();
    throw new Error(`${contestant.name} does not start:\n${process.errors()}`, { cause: error });
  }
  return { ...contestant, process, caller, stop };
}
