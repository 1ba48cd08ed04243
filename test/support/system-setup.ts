import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestProject } from "vitest/node";
import { freePort } from "../../dev/free-port.ts";

/** What `stack.json` says of a running system, as far as tests need it. */
export interface System {
  url: string;
  mcp: string;
  user: { email: string; password: string };
  otherUser: { email: string; password: string };
  apiKey: string;
  readOnlyApiKey: string;
  mailbox: string;
  controls: string;
  databaseUrl: string;
}

declare module "vitest" {
  interface ProvidedContext {
    system: System;
  }
}

const ROOT = resolve(import.meta.dirname, "../..");

/** The whole system, started the way a developer starts it, on a free port and in a directory of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = mkdtempSync(join(tmpdir(), "gateway-system-tests-"));
  chmodSync(directory, 0o755);
  const { POSTGRES_URL: _postgres, REDIS_URL: _redis, ...environment } = process.env;
  const child = spawn(process.execPath, [join(ROOT, "dev/start.ts")], {
    cwd: ROOT,
    env: { ...environment, PORT: String(await freePort()), STACK_DIR: directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const file = join(directory, "stack.json");
  const ready = new Promise<void>((done, fail) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output = (output + text).slice(-20_000);
        if (existsSync(file)) done();
      });
    }
    child.once("exit", (code) => fail(new Error(`npm start ended with code ${code}:\n${output}`)));
  });
  await ready;
  project.provide("system", JSON.parse(readFileSync(file, "utf8")) as System);
  return async () => {
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
    rmSync(directory, { recursive: true, force: true });
  };
}
