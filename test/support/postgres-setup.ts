import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    /** A server for databases of one's own, as superuser. */
    postgresUrl: string;
  }
}

/** A Postgres on which tests make databases of their own. */
export interface SharedPostgres {
  url: string;
  stop: () => Promise<void>;
}

/** The server of `POSTGRES_URL`, or an embedded one in a folder for temporary files. */
export async function startSharedPostgres(): Promise<SharedPostgres> {
  const given = process.env["POSTGRES_URL"];
  if (given !== undefined) return { url: given, stop: async () => undefined };
  const folder = mkdtempSync(join(tmpdir(), "gateway-test-postgres-"));
  chmodSync(folder, 0o755);
  const child = fork(join(import.meta.dirname, "postgres-process.ts"), [join(folder, "pg")]);
  const url = await firstMessage<string>(child);
  return {
    url,
    async stop() {
      const ended = once(child, "exit");
      child.send("stop");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a process says when it is ready. Rejects when it ends instead. */
export async function firstMessage<T>(child: ChildProcess): Promise<T> {
  const ended = once(child, "exit").then(([code]) =>
    Promise.reject(new Error(`${child.spawnargs.at(1)} ended with code ${code}`)),
  );
  const [message] = (await Promise.race([once(child, "message"), ended])) as [T];
  return message;
}

/** Makes an empty database, in place of one that an earlier run left behind; returns its URL, as superuser. */
export async function makeDatabase(serverUrl: string, name: string): Promise<string> {
  await dropDatabase(serverUrl, name);
  await onServer(serverUrl, `create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

export const dropDatabase = (serverUrl: string, name: string): Promise<void> =>
  onServer(serverUrl, `drop database if exists ${name} with (force)`);

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** One server for all tests of the local stack: making a data directory takes longer than most of them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { url, stop } = await startSharedPostgres();
  project.provide("postgresUrl", url);
  return stop;
}
