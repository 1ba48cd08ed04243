import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { sendJson, startHttpServer } from "../../dev/http-server.ts";
import type { Stack } from "../../dev/stack.ts";
import { dropDatabase, firstMessage, makeDatabase, startSharedPostgres } from "./postgres-setup.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where `POST` answers a {@link LentStack}. */
    stacks: string;
  }
}

/** What an isolate of the worker tests needs to know of its stack. */
export interface LentStack {
  settings: Record<string, string>;
  controls: string;
}

/** The most that a setting may say: only tests of a slow Redis, with a gateway of their own, are about giving it up. */
const REDIS_TIMEOUT_MS = "10000";

interface OwnStack extends LentStack {
  stop: () => Promise<void>;
}

/**
 * Lends a fresh stack to each isolate that runs worker tests: faults and counters of one are none of another's. All use one Postgres,
 * the embedded one or that of `POSTGRES_URL`, with a database each; Redis is embedded too, or that of `REDIS_URL`, with a key prefix
 * each. Nothing is left of them afterwards. They start while Vite still prepares the code: one for each isolate, or one alone for who
 * names the files to run.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await startSharedPostgres();
  const stacks: Promise<OwnStack>[] = [];
  // One after the other: they set the password of one role.
  const start = (): Promise<OwnStack> => {
    const name = `gateway_test_${process.pid}_${stacks.length}`;
    const before = Promise.allSettled(stacks.slice(-1));
    const stack = before.then(() => startStack(postgres.url, name));
    stacks.push(stack);
    stack.catch(() => undefined); // Whoever asks for it hears of it.
    return stack;
  };
  const ahead = process.argv.some((word) => word.includes("test/worker/")) ? 1 : project.config.maxWorkers;
  const free = Array.from({ length: ahead }, start);
  const server = await startHttpServer({
    async handle(_request, response) {
      const stack = free.shift() ?? start();
      try {
        const { settings, controls } = await stack;
        sendJson(response, { status: 200, json: { settings, controls } satisfies LentStack });
      } catch (error) {
        sendJson(response, { status: 500, json: { error: String(error) } });
      }
    },
  });
  project.provide("stacks", `http://127.0.0.1:${server.port}`);
  return async () => {
    await server.stop();
    for (const stack of await Promise.allSettled(stacks)) if (stack.status === "fulfilled") await stack.value.stop();
    await postgres.stop();
  };
}

async function startStack(postgresUrl: string, name: string): Promise<OwnStack> {
  const directory = mkdtempSync(join(tmpdir(), "gateway-worker-tests-"));
  const redis = process.env["REDIS_URL"];
  const child = fork(join(import.meta.dirname, "stack-process.ts"), [
    directory,
    await makeDatabase(postgresUrl, name),
    redis ?? "",
    redis === undefined ? "" : `${name}:`,
  ]);
  const stack = await firstMessage<Omit<Stack, "stop">>(child);
  // Port 9 has no listener here: an upstream that is allowed and down.
  const OUTBOUND_ALLOW = `${stack.settings["OUTBOUND_ALLOW"]},127.0.0.1:9`;
  return {
    settings: { ...stack.settings, OUTBOUND_ALLOW, ALLOWED_ORIGINS: "https://app.example.com", REDIS_TIMEOUT_MS },
    controls: stack.controls,
    async stop() {
      const ended = once(child, "exit");
      child.send("stop");
      await ended;
      await dropDatabase(postgresUrl, name);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
