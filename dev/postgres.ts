import { spawn, type ChildProcess } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "./free-port.ts";
import { installedBinaries, postgresUser, reachableDataDir, type RunAs } from "./postgres-install.ts";
import { commandOf, parentOf } from "./processes.ts";

/** A running embedded Postgres. `url` is TCP, as superuser; `dataDir` is where the data really lies. */
export interface EmbeddedPostgres {
  url: string;
  port: number;
  pid: number;
  dataDir: string;
  stop(): Promise<void>;
}

/** glibc has C.UTF-8 (what Neon uses); macOS lacks it. Both sort by code point. */
const LOCALE = process.platform === "linux" ? "C.UTF-8" : "C";
// The data may be lost when the machine crashes, which a development database can afford; tests run several times
// faster.
const SETTINGS = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=100", "timezone=UTC"];
/** A file in the data directory that holds the id of the process that started the server. */
const STARTER = "starter.pid";

/**
 * Starts Postgres from npm's binaries on a free port of 127.0.0.1; makes the data directory on first use. A server that
 * a killed run left behind in this very directory is stopped first; one whose starter still lives is an error. The
 * server has a process group of its own, so that Ctrl-C reaches the caller only, who calls `stop` when everything that
 * uses it has ended.
 */
export async function startEmbeddedPostgres(options: {
  dataDir: string;
  log?: (line: string) => void;
}): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => {});
  const user = postgresUser();
  const bin = installedBinaries(user, log);
  const dataDir = reachableDataDir(options.dataDir, user, log);
  await stopOrphan(dataDir, log);
  if (!existsSync(join(dataDir, "PG_VERSION"))) await initialize(bin, dataDir, user);
  writeFileSync(join(dataDir, STARTER), String(process.pid));

  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const server = launch(join(bin, "postgres"), serverArguments(dataDir, port), user);
    const failure = await firstOutput(server, "ready to accept connections");
    if (failure === undefined && server.pid !== undefined) {
      const url = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
      return { url, port, pid: server.pid, dataDir, stop: () => stopServer(server) };
    }
    if (attempt === 3 || !/Address already in use/.test(failure ?? ""))
      throw new Error(`Postgres did not start: ${failure}`);
  }
}

function serverArguments(dataDir: string, port: number): string[] {
  const listen = ["-h", "127.0.0.1", "-p", String(port), "-k", ""];
  return ["-D", dataDir, ...listen, ...SETTINGS.flatMap((setting) => ["-c", setting])];
}

/** Uses another name until it is complete, so that a killed run does not leave an incomplete data directory. */
async function initialize(bin: string, dataDir: string, user: RunAs): Promise<void> {
  const unfinished = `${dataDir}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  if (user.uid !== undefined && user.gid !== undefined) chownSync(unfinished, user.uid, user.gid);
  const access = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"];
  const initdb = launch(join(bin, "initdb"), ["-D", unfinished, `--locale=${LOCALE}`, ...access], user);
  const failure = await firstOutput(initdb, undefined);
  if (failure !== undefined) throw new Error(`cannot make a Postgres data directory in ${dataDir}: ${failure}`);
  rmSync(dataDir, { recursive: true, force: true });
  renameSync(unfinished, dataDir);
}

function launch(command: string, args: string[], user: RunAs): ChildProcess {
  return spawn(command, args, {
    ...user,
    cwd: "/",
    env: { PATH: process.env["PATH"], LC_ALL: LOCALE, LC_MESSAGES: "C", TZ: "UTC" },
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
}

/**
 * Waits until the process writes `awaited` to its standard error or, without `awaited`, until it exits with 0; returns
 * undefined then. Otherwise returns what it wrote before it ended.
 */
function firstOutput(child: ChildProcess, awaited: string | undefined): Promise<string | undefined> {
  return new Promise((resolve) => {
    let output = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-10_000);
      if (awaited !== undefined && output.includes(awaited)) resolve(undefined);
    });
    child.once("error", (error) => resolve(`${error.message} (the binaries need glibc or macOS)`));
    child.once("close", (code) =>
      resolve(code === 0 && awaited === undefined ? undefined : output || `exit code ${code}`),
    );
  });
}

/**
 * SIGINT is Postgres' fast shutdown: it ends sessions and writes a checkpoint. SIGQUIT if that takes over four seconds.
 */
async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  server.kill("SIGINT");
  const impatience = setTimeout(() => server.kill("SIGQUIT"), 4_000);
  await ended;
  clearTimeout(impatience);
}

/**
 * Stops a server that an earlier run left behind: only the process in the lock file of our own data directory, and only
 * if it serves that directory.
 */
async function stopOrphan(dataDir: string, log: (line: string) => void): Promise<void> {
  const lockFile = join(dataDir, "postmaster.pid");
  if (!existsSync(lockFile)) return;
  const pid = Number.parseInt(readFileSync(lockFile, "utf8"), 10);
  if (!commandOf(pid)?.includes(dataDir)) {
    rmSync(lockFile); // The process id now belongs to another process, or to none.
    return;
  }
  const starter = existsSync(join(dataDir, STARTER)) ? Number(readFileSync(join(dataDir, STARTER), "utf8")) : undefined;
  if (starter !== undefined && parentOf(pid) === starter) {
    throw new Error(`process ${starter} uses the data directory ${dataDir}: stop it, or use another directory`);
  }
  log(`stopping Postgres ${pid}, which an earlier run left behind`);
  process.kill(pid, "SIGINT");
  for (let waited = 0; existsSync(lockFile); waited += 50) {
    if (waited >= 10_000) throw new Error(`Postgres ${pid} of ${dataDir} does not stop: end it and start again`);
    await delay(50);
  }
}
