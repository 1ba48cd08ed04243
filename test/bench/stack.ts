import { fork } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { Stats } from "../../dev/controls.ts";
import type { Stack } from "../../dev/stack.ts";

/** The local stack in a process of its own, so that the load does not wait for its endpoints. */
export interface BenchStack extends Omit<Stack, "stop"> {
  /** What Postgres and Redis are: `embedded` or `given`. */
  servers: { postgres: string; redis: string };
  /** Delays every answer of Postgres and Redis by so many milliseconds. */
  setLatency: (ms: { postgres: number; redis: number }) => Promise<void>;
  /** What has been counted since the last call. */
  takeStats: () => Promise<Stats>;
  stop: () => Promise<void>;
}

/** Starts the stack on embedded servers, or on `POSTGRES_URL` and `REDIS_URL`, in a database and under a prefix that are removed at the end. */
export async function startBenchStack(): Promise<BenchStack> {
  const { POSTGRES_URL: server, REDIS_URL: redis } = process.env;
  const directory = mkdtempSync(join(tmpdir(), "gateway-bench-"));
  chmodSync(directory, 0o755);
  const name = `gateway_bench_${process.pid}`;
  const database = server === undefined ? undefined : new URL(server);
  if (server !== undefined && database) {
    await run(server, `create database ${name}`);
    database.pathname = `/${name}`;
  }
  const prefix = redis === undefined ? "" : `${name}:`;
  const child = fork(join(import.meta.dirname, "../support/stack-process.ts"), [
    directory,
    database?.href ?? "",
    redis ?? "",
    prefix,
  ]);
  const ended = once(child, "exit");
  const stop = async () => {
    if (child.connected) child.send("stop");
    await ended;
    if (server !== undefined) await run(server, `drop database if exists ${name} with (force)`);
    rmSync(directory, { recursive: true, force: true });
  };
  const [stack] = (await Promise.race([
    once(child, "message"),
    ended.then(([code]) => Promise.reject(new Error(`the stack ended with code ${code}`))),
  ])) as [Omit<Stack, "stop">];

  const control = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await fetch(`${stack.controls}${path}`, { method, ...init });
    if (!answer.ok) throw new Error(await answer.text());
    return (await answer.json()) as T;
  };
  return {
    ...stack,
    servers: {
      postgres: server === undefined ? "embedded" : "given",
      redis: redis === undefined ? "embedded" : "given",
    },
    setLatency: async ({ postgres, redis: redisMs }) => {
      await control("DELETE", "/faults");
      const faults = {
        ...(postgres > 0 && { neon: { latencyMs: postgres } }),
        ...(redisMs > 0 && { upstash: { latencyMs: redisMs } }),
      };
      await control("POST", "/faults", faults);
    },
    takeStats: async () => {
      const stats = await control<Stats>("GET", "/stats");
      await control("POST", "/stats/reset");
      return stats;
    },
    stop,
  };
}

async function run(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
