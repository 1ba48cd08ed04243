import { randomBytes } from "node:crypto";

/** The addresses of the local stack. */
export interface StackAddresses {
  baseUrl: string;
  databaseUrl: string;
  neonEndpoint: string;
  upstashUrl: string;
  upstashToken: string;
}

/** Secrets of a local installation; kept in its directory so that sessions and sealed values survive a restart. */
export interface StackSecrets {
  betterAuth: string;
  sealing: string;
}

export const newSecrets = (): StackSecrets => ({
  betterAuth: randomBytes(32).toString("base64url"),
  sealing: randomBytes(32).toString("base64"),
});

/** The Worker's variables for development, as the README's table names them. `extra` wins. */
export function developmentSettings(
  stack: StackAddresses,
  secrets: StackSecrets = newSecrets(),
  extra: Record<string, string> = {},
): Record<string, string> {
  return {
    ENVIRONMENT: "development",
    BASE_URL: stack.baseUrl,
    DATABASE_URL: stack.databaseUrl,
    NEON_HTTP_ENDPOINT: stack.neonEndpoint,
    UPSTASH_REDIS_REST_URL: stack.upstashUrl,
    UPSTASH_REDIS_REST_TOKEN: stack.upstashToken,
    // Two cores that also run Postgres, Redis and a browser are slower than a region next door.
    REDIS_TIMEOUT_MS: "2000",
    BETTER_AUTH_SECRETS: secrets.betterAuth,
    SEALING_KEYS: `dev:${secrets.sealing}`,
    ...extra,
  };
}
