// `npm run lock:complete`: adds the optional platform packages that npm leaves out of package-lock.json when the mirror
// it installs from does not carry them. Without their entries `npm ci` refuses the lock file on every machine.
import { resolve } from "node:path";
import { readFileSync, writeFileSync } from "node:fs";
import { missingOptionalPackages, type LockPackage } from "./lockfile.ts";

const path = resolve(import.meta.dirname, "../package-lock.json");
const lock = JSON.parse(readFileSync(path, "utf8")) as { packages: Record<string, LockPackage> };
const missing = missingOptionalPackages(lock.packages);
for (const { location, entry } of missing) lock.packages[location] = entry;
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(
  missing.length === 0 ? "package-lock.json is complete" : `added ${missing.length} optional platform packages`,
);
