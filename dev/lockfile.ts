/** The fields of an entry under `packages` in package-lock.json that this project reads. */
export interface LockPackage {
  version?: string;
  optional?: boolean;
  dev?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const OS = ["android", "darwin", "freebsd", "linux", "openharmony", "sunos", "win32"];
const CPU = ["arm64", "x64", "ia32", "ppc64", "riscv64", "s390x", "arm", "64"];

/**
 * `os`, `cpu` and `libc` as the name of a platform package states them (`@scope/linux-x64-gnu`), so that npm skips it
 * elsewhere.
 */
export function platformOf(name: string): Pick<LockPackage, "os" | "cpu" | "libc"> {
  const words = name.replace(/.*\//, "").replaceAll("windows", "win32").split("-");
  const os = OS.find((candidate) => words.includes(candidate));
  const cpu = CPU.find((candidate) => words.includes(candidate));
  if (os === undefined || cpu === undefined) throw new Error(`cannot read the platform of ${name}`);
  const libc = words.some((word) => word.startsWith("musl"))
    ? "musl"
    : words.some((word) => word.startsWith("gnu"))
      ? "glibc"
      : undefined;
  return { os: [os], cpu: [cpu === "64" ? "x64" : cpu], ...(libc && os === "linux" ? { libc: [libc] } : {}) };
}

/**
 * Optional dependencies that some package of the lock file names and that no entry satisfies, with the entry to add.
 */
export function missingOptionalPackages(
  packages: Record<string, LockPackage>,
): { location: string; entry: LockPackage }[] {
  const missing: { location: string; entry: LockPackage }[] = [];
  for (const [location, entry] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (isInstalledFor(location, name, packages)) continue;
      if (!/^\d+\.\d+\.\d+/.test(version)) throw new Error(`${location}: ${name}@${version} is not an exact version`);
      missing.push({
        location: `node_modules/${name}`,
        entry: { version, ...platformOf(name), ...(entry.dev ? { dev: true } : {}), optional: true },
      });
    }
  }
  return missing;
}

function isInstalledFor(location: string, name: string, packages: Record<string, LockPackage>): boolean {
  for (let folder = location; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("node_modules/") - 1))) {
    if (packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`]) return true;
    if (folder === "") return false;
  }
}
