import { betterAuth } from "better-auth/minimal";
import { memoryAdapter } from "better-auth/adapters/memory";
import { runAuthRequest } from "../../../src/auth/trail.ts";
import { authOptions } from "../../../src/auth/auth.ts";
import type { AuthDeps } from "../../../src/auth/deps.ts";
import type { Mail } from "../../../src/platform/mail.ts";
import { ALL_SCOPES } from "../../../src/identity/scopes.ts";
import { parseConfig } from "../../../src/platform/config.ts";
import { web } from "../../../src/web/pages.tsx";
import { hashPassword, verifyPassword } from "../../support/quick-password.ts";
import { noStores } from "./scripted.ts";

export const ORIGIN = "https://gateway.example.com";
const TABLES = ["user", "session", "account", "verification", "organization", "member", "invitation", "jwks"];
const OAUTH_TABLES = ["Client", "Resource", "ClientResource", "RefreshToken", "AccessToken", "Consent"];

/** The pages on the product's own Better Auth configuration, with rows and counters in memory instead of Postgres and Redis. */
export function pagesOnBetterAuth(settings: Readonly<Record<string, string>> = {}) {
  const parsed = parseConfig({
    ENVIRONMENT: "development",
    BASE_URL: ORIGIN,
    DATABASE_URL: "postgresql://app:secret@db.example.com/app",
    UPSTASH_REDIS_REST_URL: "https://redis.example.com",
    UPSTASH_REDIS_REST_TOKEN: "token",
    BETTER_AUTH_SECRETS: "kT2v9XqLmR4sWz8yBcD1fGhJ3nPaUeVoIi5Y7K0Q6rxS",
    SEALING_KEYS: `a:${Buffer.from(Array.from({ length: 32 }, (_value, index) => (index * 37 + 11) % 256)).toString("base64")}`,
    ...settings,
  });
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  const { config } = parsed;
  const rows: Record<string, Record<string, unknown>[]> = Object.fromEntries(
    [...TABLES, ...OAUTH_TABLES.map((name) => `oauth${name}`), "apikey"].map((table) => [table, []]),
  );
  rows["oauthResource"]?.push({ id: "mcp", identifier: `${ORIGIN}/mcp`, disabled: false, policyVersion: 1 });
  const mails: Mail[] = [];
  const pending: Promise<unknown>[] = [];
  const options = authOptions({
    config,
    db: { execute: async () => ({ rows: [] }) } as unknown as AuthDeps["db"],
    redis: { eval: async () => 0, del: async () => 0 } as unknown as AuthDeps["redis"],
    oidc: undefined,
    fetchProvider: () => Promise.reject(new Error("nothing is asked")),
    outbound: () => Promise.reject(new Error("nothing is asked")),
    storage: memoryStorage(),
    signingKeys: {
      adapter: { getJwks: async () => [], createJwk: async (key) => ({ ...key, id: "key" }) },
      publicKeys: async () => [],
    },
    sendMail: async (mail) => {
      mails.push(mail);
    },
    log: () => undefined,
    journal: { record: () => undefined, tried: () => undefined },
    now: () => Date.now(),
    background: (work) => {
      pending.push(work);
    },
    generateApiKey: () => "unused",
    keyStartLength: 12,
    defaultKeyPermissions: {},
    flushOutbox: async () => undefined,
    stopCredentials: async () => undefined,
    resumeGrants: async () => undefined,
    browserCookie: "__Host-mrg.form",
    scopes: ALL_SCOPES,
  });
  const password = {
    hash: hashPassword,
    verify: ({ hash, password: given }: { hash: string; password: string }) => verifyPassword(hash, given),
  };
  const emailAndPassword = { ...options.emailAndPassword, password };
  const auth = betterAuth({ ...options, emailAndPassword, database: memoryAdapter(rows) });
  const handler = async (request: Request) => {
    const answer = await runAuthRequest(request, "request-1", () => auth.handler(request));
    await Promise.all(pending.splice(0));
    return answer;
  };
  const app = web({ config, auth: async () => ({ handler }), ...noStores(), log: () => undefined });
  return { app, handler, mails, rows, config };
}

/** Better Auth's secondary storage without Redis. Time to live is not kept: no test outlives it. */
function memoryStorage(): AuthDeps["storage"] {
  const values = new Map<string, string>();
  return {
    get: async (key) => values.get(key) ?? null,
    set: async (key, value) => {
      values.set(key, value);
    },
    delete: async (key) => {
      values.delete(key);
    },
    getAndDelete: async (key) => {
      const value = values.get(key) ?? null;
      values.delete(key);
      return value;
    },
    increment: async (key) => {
      const count = Number(values.get(key) ?? 0) + 1;
      values.set(key, String(count));
      return count;
    },
  };
}
