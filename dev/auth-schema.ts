// `npm run auth:schema`: writes src/identity/schema.ts with Better Auth's generator for our plugins.
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { generateDrizzleSchema } from "auth/api";
import { authOptions } from "../src/auth/auth.ts";
import { signingKeys } from "../src/identity/signing-keys.ts";
import { parseConfig } from "../src/platform/config.ts";
import { connectDatabases } from "../src/platform/postgres/db.ts";
import { connectRedis } from "../src/platform/redis/redis.ts";
import { developmentSettings } from "./settings.ts";

const path = resolve(import.meta.dirname, "../src/identity/schema.ts");

/** The schema module that Better Auth's generator produces for the plugins in use; needs no database. */
export async function freshAuthSchema(): Promise<string> {
  const parsed = parseConfig(
    developmentSettings({
      baseUrl: "http://localhost:8787",
      databaseUrl: "postgresql://nobody:none@127.0.0.1/none",
      neonEndpoint: "http://127.0.0.1:9/sql",
      upstashUrl: "http://127.0.0.1:9",
      upstashToken: "none",
    }),
  );
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  const db = connectDatabases(parsed.config).write;
  const options = authOptions({
    config: parsed.config,
    db,
    redis: connectRedis(parsed.config),
    storage: { get: () => null, set: () => null, delete: () => null, getAndDelete: () => null, increment: () => 1 },
    signingKeys: signingKeys(db),
    sendMail: async () => {},
    oidc: undefined,
    fetchProvider: () => Promise.reject(new Error("nothing is asked")),
    outbound: () => Promise.reject(new Error("nothing is asked")),
    log: () => {},
    journal: { record: () => {}, tried: () => {} },
    now: () => 0,
    background: () => {},
    generateApiKey: () => "",
    keyStartLength: 12,
    defaultKeyPermissions: {},
    flushOutbox: async () => undefined,
    stopCredentials: async () => {},
    resumeGrants: async () => {},
    browserCookie: "form",
    scopes: ["openid", "offline_access"],
  });
  const adapter = options.database(options);
  const { code } = await generateDrizzleSchema({ options, adapter, file: "schema.ts" });
  if (code === undefined) throw new Error("Better Auth's generator returned no schema");
  return code;
}

if (import.meta.main) {
  writeFileSync(path, await freshAuthSchema());
  console.log(`wrote ${path}`);
}
