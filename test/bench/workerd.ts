import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { command } from "../support/command.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const WORKERD = join(ROOT, "node_modules/.bin/workerd");
const START_MS = 20_000;
const POLL_MS = 2;
/** `USER_HZ`: the unit of times in `/proc`, the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** A Worker as a deployment would send it. */
export interface Bundle {
  module: string;
  gzipKiB: number;
}

/** Bundles a Worker with the settings of `wrangler.toml`, without deploying. */
export async function bundleWorker(entry: string, directory: string): Promise<Bundle> {
  const built = await command("wrangler", ["deploy", entry, "--dry-run", "--minify", "--outdir", directory]);
  if (built.code !== 0) throw new Error(`wrangler deploy --dry-run of ${entry} failed:\n${built.stderr}`);
  const module = join(directory, basename(entry).replace(/\.ts$/, ".js"));
  return { module, gzipKiB: gzipSync(readFileSync(module), { level: 9 }).length / 1024 };
}

export interface WorkerdOptions {
  bundle: Bundle;
  port: number;
  settings: Readonly<Record<string, string>>;
  /** Where the KV namespace `OAUTH_KV` answers; without it there is none. */
  kvPort?: number | undefined;
}

export interface Workerd {
  url: string;
  /** CPU time that the process has used, in milliseconds; undefined where there is no `/proc`. */
  cpuMs: () => number | undefined;
  /** The end of what it said on its error stream. */
  errors: () => string;
  stop: () => Promise<void>;
}

/** Starts workerd itself with one Worker; what is in the way of `wrangler dev` costs several times what is measured here. */
export function startWorkerd({ bundle, port, settings, kvPort }: WorkerdOptions): Workerd {
  const config = join(bundle.module, "..", `${port}.capnp`);
  writeFileSync(config, capnp(basename(bundle.module), port, settings, kvPort));
  const child = spawn(WORKERD, ["serve", "--experimental", config], { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-2_000)));
  const exited = once(child, "exit");
  return {
    url: `http://127.0.0.1:${port}`,
    cpuMs: () => (child.pid === undefined ? undefined : cpuOf(child.pid)),
    errors: () => errors,
    stop: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Asks until somebody answers; rejects after 20 seconds. The call rejects while nobody listens, and on a wrong answer. */
export async function firstAnswer(call: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + START_MS;
  for (;;) {
    try {
      await call();
      return;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== "ECONNREFUSED" || performance.now() > deadline) throw error;
      await delay(POLL_MS);
    }
  }
}

/** User and system time of all threads of a process, in milliseconds; undefined where there is no `/proc`. */
function cpuOf(pid: number): number | undefined {
  if (process.platform !== "linux") return undefined;
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // proc(5): the name in parentheses may hold spaces; utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND;
}

function capnp(
  module: string,
  port: number,
  settings: Readonly<Record<string, string>>,
  kvPort: number | undefined,
): string {
  const wrangler = readFileSync(join(ROOT, "wrangler.toml"), "utf8");
  const date = /compatibility_date = "(.*)"/.exec(wrangler)?.[1] ?? "";
  const flags = /compatibility_flags = \[(.*)\]/.exec(wrangler)?.[1] ?? "";
  const bindings = Object.entries(settings).map(
    ([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`,
  );
  if (kvPort !== undefined) bindings.push('(name = "OAUTH_KV", kvNamespace = "kv")');
  const kv = kvPort === undefined ? "" : `(name = "kv", external = (address = "127.0.0.1:${kvPort}", http = ())),`;
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
    ${kv}
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "${module}", esModule = embed "${module}")],
  compatibilityDate = "${date}",
  compatibilityFlags = [${flags}],
  bindings = [${bindings.join(", ")}],
);
`;
}
