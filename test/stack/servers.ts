import { neonConfig } from "@neondatabase/serverless";
import { randomBytes } from "node:crypto";
import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { inject } from "vitest";
import { createControls, type Controls } from "../../dev/controls.ts";
import { startNeonHttp } from "../../dev/neon-http.ts";
import { startEmbeddedRedis } from "../../dev/redis.ts";
import { startUpstashRest } from "../../dev/upstash-rest.ts";
import { dropDatabase, makeDatabase } from "../support/postgres-setup.ts";

/** The bearer token of the Upstash endpoint in these tests. */
export const TOKEN = "local-token";

/** A Neon endpoint before a database of its own, which `connectionString` names (TCP too). */
export interface SqlServer {
  endpoint: string;
  connectionString: string;
  stop(): Promise<void>;
}

/** An Upstash endpoint before a Redis; `keyPrefix` is empty on an embedded one, which nobody shares. */
export interface RedisServer {
  endpoint: string;
  redisUrl: string;
  keyPrefix: string;
  stop(): Promise<void>;
}

/** A folder for temporary files that Postgres may enter whoever runs the tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "stack-test-"));
  chmodSync(folder, 0o755);
  return folder;
}

/** A database of its own on the server that all these tests use. */
export async function startSqlServer(controls: Controls = createControls()): Promise<SqlServer> {
  const server = new URL(inject("postgresUrl"));
  if (server.password === "") server.password = "any"; // The Neon driver insists on one.
  const name = `stack_test_${randomBytes(6).toString("hex")}`;
  const connectionString = await makeDatabase(server.href, name);
  const neon = await startNeonHttp({ postgresUrl: server.href, controls });
  return {
    endpoint: neon.url,
    connectionString,
    async stop() {
      await neon.stop();
      await dropDatabase(server.href, name);
    },
  };
}

/** Uses the server of REDIS_URL with a key prefix of its own, or else starts an embedded one. */
export async function startRedisServer(controls: Controls = createControls()): Promise<RedisServer> {
  const given = process.env["REDIS_URL"];
  const embedded = given === undefined ? await startEmbeddedRedis() : undefined;
  const redisUrl = given ?? embedded?.url ?? "";
  const keyPrefix = given === undefined ? "" : `stack-test-${randomBytes(6).toString("hex")}:`;
  const upstash = await startUpstashRest({ redisUrl, token: TOKEN, keyPrefix: keyPrefix || undefined, controls });
  return {
    endpoint: upstash.url,
    redisUrl,
    keyPrefix,
    async stop() {
      await upstash.stop();
      if (keyPrefix !== "") await removeKeys(redisUrl, keyPrefix);
      await embedded?.stop();
    },
  };
}

/** Removes every key that starts with `prefix`. */
export async function removeKeys(redisUrl: string, prefix: string): Promise<void> {
  const redis = new Redis(redisUrl);
  const keys = await redis.keys(`${prefix}*`);
  if (keys.length > 0) await redis.del(keys);
  await redis.quit();
}

/** The driver asks this endpoint, by nothing but `fetch`: its settings are those of the process, and another file may have changed them. */
export function aimDriver(endpoint: string): void {
  neonConfig.fetchEndpoint = endpoint;
  neonConfig.fetchFunction = (url: string, init: RequestInit) => fetch(url, init);
}
