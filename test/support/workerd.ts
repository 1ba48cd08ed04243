import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { command } from "./command.ts";

const WORKERD = resolve(import.meta.dirname, "../../node_modules/.bin/workerd");
const START_MS = 20_000;

/** Bundles the Worker as a deployment would, without deploying; returns the path of the one module that comes out. */
export async function bundle(directory: string): Promise<string> {
  mkdirSync(directory, { recursive: true });
  const built = await command("wrangler", ["deploy", "--dry-run", "--minify", "--outdir", directory]);
  if (built.code !== 0) throw new Error(`wrangler deploy --dry-run failed:\n${built.stdout}\n${built.stderr}`);
  return join(directory, "index.js");
}

/** Runs a bundle in workerd itself, with the settings of `wrangler.toml` that matter at run time. Resolves at the first answer. */
export async function runBundle(module: string, settings: Record<string, string>, port: number) {
  const config = join(module, "..", "config.capnp");
  writeFileSync(config, capnp(settings, port));
  const startedAt = performance.now();
  const child = spawn(WORKERD, ["serve", "--experimental", config], { stdio: ["ignore", "pipe", "pipe"] });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const exited = once(child, "exit");
  const url = `http://127.0.0.1:${port}`;
  const stop = async () => {
    child.kill("SIGKILL");
    await exited;
  };
  while (!(await fetch(`${url}/healthz`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null || performance.now() - startedAt > START_MS) {
      await stop();
      throw new Error(`the bundle does not start in workerd:\n${errors}`);
    }
    await new Promise((next) => setTimeout(next, 2));
  }
  return { url, firstAnswerMs: performance.now() - startedAt, stop };
}

function capnp(settings: Record<string, string>, port: number): string {
  const wrangler = readFileSync(resolve(import.meta.dirname, "../../wrangler.toml"), "utf8");
  const date = /compatibility_date = "(.*)"/.exec(wrangler)?.[1] ?? "";
  const flags = /compatibility_flags = \[(.*)\]/.exec(wrangler)?.[1] ?? "";
  const bindings = Object.entries(settings).map(
    ([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "index.js", esModule = embed "index.js")],
  compatibilityDate = "${date}",
  compatibilityFlags = [${flags}],
  bindings = [${bindings.join(", ")}],
);
`;
}
