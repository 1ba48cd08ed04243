import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "..");
const WRANGLER = resolve(ROOT, "node_modules/wrangler/bin/wrangler.js");
const READY_MS = 60_000;
const POLL_MS = 200;
const STOP_MS = 3_000;

/** Nothing leaves this machine while developing. */
const QUIET = {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_SEND_ERROR_REPORTS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  CI: "1",
};

export interface StartedWorker {
  /** Resolves when `/readyz` says that the Worker can do its work; rejects when that does not happen in a minute. */
  ready: Promise<void>;
  /** Settles when the process has ended. */
  exited: Promise<void>;
  stop: () => Promise<void>;
}

/** Rejects with a clear message when something already listens on the port. */
export async function assertPortIsFree(port: number): Promise<void> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "EADDRINUSE") throw error;
    throw new Error(`Port ${port} is taken. Stop what listens there, or choose another: PORT=8788 npm start`, {
      cause: error,
    });
  }
  await new Promise<void>((done) => server.close(() => done()));
}

/** Runs the Worker in workerd under `wrangler dev`. */
export function startWorker(options: {
  port: number;
  settings: Record<string, string>;
  log: (line: string) => void;
}): StartedWorker {
  const { port, settings, log } = options;
  const variables = Object.entries(settings).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const flags = [
    "--ip",
    "127.0.0.1",
    "--port",
    String(port),
    "--inspector-port",
    "0",
    "--show-interactive-dev-session=false",
  ];
  const child = spawn(process.execPath, [WRANGLER, "dev", ...flags, ...variables], {
    cwd: ROOT,
    env: { ...process.env, ...QUIET },
    stdio: ["ignore", "pipe", "pipe"],
    // Its own group: Ctrl-C reaches us first, and we end it before the database it uses.
    detached: true,
  });
  const exited = once(child, "exit").then(() => undefined);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-20_000);
      const shown = text
        .split("\n")
        .filter((line) => !line.includes("GET /readyz"))
        .join("\n");
      if (shown.trim() !== "") log(shown);
    });
  }
  const signal = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // The group has ended.
    }
  };
  const stop = async () => {
    signal("SIGTERM");
    const timer = setTimeout(() => signal("SIGKILL"), STOP_MS);
    await exited;
    clearTimeout(timer);
    signal("SIGKILL");
  };
  const ready = async () => {
    const url = `http://localhost:${port}/readyz`;
    const deadline = Date.now() + READY_MS;
    for (;;) {
      if (child.exitCode !== null) throw new Error(`The Worker ended while starting:\n${output}`);
      const answer = await fetch(url, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
      if (answer?.ok) return;
      if (Date.now() > deadline) {
        throw new Error(
          `The Worker was not ready within ${READY_MS / 1000} s: ${(await answer?.text()) ?? "no answer"}\n${output}`,
        );
      }
      await new Promise((next) => setTimeout(next, POLL_MS));
    }
  };
  return { ready: ready(), exited, stop };
}
