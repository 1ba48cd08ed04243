import { fork } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { TestProject } from "vitest/node";
import type { Stack } from "../../dev/stack.ts";

declare module "vitest" {
  interface ProvidedContext {
    workerSettings: Record<string, string>;
    controls: string;
  }
}

/**
 * A fresh stack for the worker tests: embedded servers, or with `POSTGRES_URL` and `REDIS_URL` the real ones, in a database and
 * under a key prefix of its own that are removed afterwards.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = mkdtempSync(join(tmpdir(), "gateway-worker-tests-"));
  chmodSync(directory, 0o755);
  const name = `gateway_test_${process.pid}`;
  const server = process.env["POSTGRES_URL"];
  const redis = process.env["REDIS_URL"];
  const database = server === undefined ? "" : await ownDatabase(server, name);
  const child = fork(join(import.meta.dirname, "stack-process.ts"), [
    directory,
    database,
    redis ?? "",
    redis === undefined ? "" : `${name}:`,
  ]);
  const [stack] = (await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => Promise.reject(new Error(`the stack ended with code ${code}`))),
  ])) as [Omit<Stack, "stop">];
  // Port 9 has no listener here: an upstream that is allowed and down.
  const OUTBOUND_ALLOW = `${stack.settings["OUTBOUND_ALLOW"]},127.0.0.1:9`;
  project.provide("workerSettings", { ...stack.settings, OUTBOUND_ALLOW, ALLOWED_ORIGINS: "https://app.example.com" });
  project.provide("controls", stack.controls);
  return async () => {
    const ended = once(child, "exit");
    child.send("stop");
    await ended;
    if (server !== undefined) await onServer(server, `drop database if exists ${name} with (force)`);
    rmSync(directory, { recursive: true, force: true });
  };
}

async function ownDatabase(server: string, name: string): Promise<string> {
  await onServer(server, `drop database if exists ${name} with (force)`);
  await onServer(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function onServer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
