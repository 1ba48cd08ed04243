import { parseConfig, type Config, type ConfigProblem } from "../../../src/platform/config.ts";

/** Secrets of 32 random bytes each, in the spellings that people use. */
export const SECRETS = {
  base64url: "tR7vQ2mXk9LwZ4bNc8YdF1hJsG6pVaE3uT5oKiWqXyM",
  base64: "9fK2pLx7Rw+4Zt/bNq1cVhY8mD3sGjE6uAoT5kWiQ0U=",
  hex: "b7d41f9c03a86e52d1f0479b8c3e6a25f8072d94e1b35ac6908f7d2e4b61a3c5",
};

export const SEALING_KEY = "wN8sT1cXr5hQ0kVbJ7yZ3mLfE9uG2pDaO6iRtU4xKxM=";

/** The least that a production deployment has to set. */
export const PRODUCTION: Readonly<Record<string, string>> = {
  BASE_URL: "https://gateway.example.com",
  DATABASE_URL: "postgresql://app:pw@db.example.com/gateway",
  UPSTASH_REDIS_REST_URL: "https://redis.example.com",
  UPSTASH_REDIS_REST_TOKEN: "token",
  BETTER_AUTH_SECRETS: SECRETS.base64url,
  SEALING_KEYS: `k1:${SEALING_KEY}`,
  RESEND_API_KEY: "re_123",
  MAIL_FROM: "gateway@example.com",
};

/** The least that a development stack has to set. */
export const DEVELOPMENT: Readonly<Record<string, string>> = {
  ENVIRONMENT: "development",
  BASE_URL: "http://localhost:8787",
  DATABASE_URL: "postgresql://app:pw@127.0.0.1/gateway",
  UPSTASH_REDIS_REST_URL: "http://127.0.0.1:8079",
  UPSTASH_REDIS_REST_TOKEN: "token",
  BETTER_AUTH_SECRETS: SECRETS.hex,
  SEALING_KEYS: `dev:${SEALING_KEY}`,
};

/** The configuration of an environment that must be right. */
export function configOf(env: object): Config {
  const parsed = parseConfig(env);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

/** The problems of an environment; none when it is right. */
export function problemsOf(env: object): ConfigProblem[] {
  const parsed = parseConfig(env);
  return "problems" in parsed ? parsed.problems : [];
}

/** The names that the problems of an environment name, each once. */
export const problemNames = (env: object) => [...new Set(problemsOf(env).map(({ name }) => name))];

/** The environment without one of its variables. */
export const without = (env: Readonly<Record<string, string>>, ...names: string[]) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
