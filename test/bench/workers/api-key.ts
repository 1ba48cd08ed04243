// `verifyApiKey` of Better Auth on Neon, then three limits: the ready-made parts that do most of what admission does.
import { apiKey } from "@better-auth/api-key";
import { neon, neonConfig } from "@neondatabase/serverless";
import { drizzleAdapter } from "better-auth/adapters/drizzle";
import { betterAuth } from "better-auth/minimal";
import { drizzle } from "drizzle-orm/neon-http";
import { pgTable, text, timestamp } from "drizzle-orm/pg-core";
import * as tables from "../../../src/identity/schema.ts";
import { echo, refused } from "./echo.ts";
import { limits, type RedisSettings, type WithinLimits } from "./limits.ts";

interface Settings extends RedisSettings {
  BASE_URL: string;
  BETTER_AUTH_SECRET: string;
  DATABASE_URL: string;
  NEON_HTTP_ENDPOINT: string;
}

/** Better Auth does not start without this table; verifying a key does not use it. */
const verification = pgTable("verification", {
  id: text("id").primaryKey(),
  identifier: text("identifier").notNull(),
  value: text("value").notNull(),
  expiresAt: timestamp("expires_at").notNull(),
  createdAt: timestamp("created_at").notNull(),
  updatedAt: timestamp("updated_at").notNull(),
});
const schema = { ...tables, verification };

type Auth = ReturnType<typeof createAuth>;

function createAuth(settings: Settings) {
  neonConfig.fetchEndpoint = settings.NEON_HTTP_ENDPOINT;
  return betterAuth({
    baseURL: settings.BASE_URL,
    secret: settings.BETTER_AUTH_SECRET,
    database: drizzleAdapter(drizzle(neon(settings.DATABASE_URL)), { provider: "pg", schema, transaction: false }),
    telemetry: { enabled: false },
    plugins: [apiKey({ rateLimit: { enabled: false } })],
  });
}

let made: { auth: Auth; withinLimits: WithinLimits } | undefined;

export default {
  async fetch(request: Request, settings: Settings): Promise<Response> {
    made ??= { auth: createAuth(settings), withinLimits: limits(settings) };
    const presented = request.headers.get("x-api-key");
    if (presented === null) return refused(401);
    const { key } = await made.auth.api.verifyApiKey({ body: { key: presented } });
    if (key === null) return refused(401);
    const caller = { credential: key.id, user: key.referenceId, tenant: `personal-${key.referenceId}` };
    return (await made.withinLimits(caller)) ? echo.fetch(request) : refused(429);
  },
};
