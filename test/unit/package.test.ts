import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { getTableName } from "drizzle-orm";
import { getTableConfig } from "drizzle-orm/pg-core";
import { describe, expect, it } from "vitest";
import { freshAuthSchema } from "../../dev/auth-schema.ts";
import { missingOptionalPackages, type LockPackage } from "../../dev/lockfile.ts";
import { apikey } from "../../src/identity/schema.ts";
import { apiToken } from "../../src/keys/schema.ts";
import { SCHEMA_VERSION, VERSION } from "../../src/platform/version.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(resolve(ROOT, path), "utf8");

interface Manifest {
  version: string;
  license: string;
  engines: { node: string };
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}
interface Lock {
  lockfileVersion: number;
  packages: Record<string, LockPackage & Partial<Manifest>>;
}

const manifest = JSON.parse(read("package.json")) as Manifest;
const lock = JSON.parse(read("package-lock.json")) as Lock;
const pins = { ...manifest.dependencies, ...manifest.devDependencies };

/** Every version of a package that an installation has, at whatever depth. */
const installed = (name: string) =>
  Object.entries(lock.packages)
    .filter(([location]) => location.endsWith(`node_modules/${name}`))
    .map(([, { version = "" }]) => version);

/** Whether a version is that one or later; a prerelease comes before its release. */
function isAtLeast(version: string, least: string): boolean {
  const parts = (text: string) => (text.split("-")[0] ?? "").split(".").map(Number);
  const [a, b] = [parts(version), parts(least)];
  const at = [0, 1, 2].find((i) => a[i] !== b[i]);
  return at === undefined ? !version.includes("-") : (a[at] ?? 0) > (b[at] ?? 0);
}

describe("S04: package.json", () => {
  it("S04: pins every dependency to one exact version", () => {
    const ranges = Object.entries(pins).filter(([, version]) => !/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version));
    expect(ranges).toEqual([]);
    expect(Object.keys(pins).length).toBeGreaterThan(30);
  });

  it("S04: names no package twice", () => {
    expect(Object.keys(manifest.dependencies).filter((name) => name in manifest.devDependencies)).toEqual([]);
  });
});

describe("what somebody who takes the project over finds", () => {
  it("is one licence in package.json, in the lock file and in LICENSE", () => {
    expect(manifest.license).toBe("Apache-2.0");
    expect(lock.packages[""]?.license).toBe("Apache-2.0");
    expect(read("LICENSE")).toMatch(/Apache License\s+Version 2\.0, January 2004/);
  });

  it("is one version of Node for development, and an honest lowest one for npm", () => {
    expect(read(".nvmrc").trim()).toBe(manifest.devDependencies["node"]);
    expect(manifest.engines.node).toBe(">=20");
    expect(read("README.md")).toContain("Node 20 or newer");
  });

  it("is one script that CI and people run", () => {
    expect(read(".github/workflows/ci.yml")).toContain("run: bash .ci/run");
  });
});

describe("S04: package-lock.json", () => {
  it("S04: is of this package.json", () => {
    expect(lock.lockfileVersion).toBe(3);
    expect(lock.packages[""]?.dependencies).toEqual(manifest.dependencies);
    expect(lock.packages[""]?.devDependencies).toEqual(manifest.devDependencies);
  });

  it("S04: installs what package.json pins", () => {
    const others = Object.entries(pins).filter(
      ([name, version]) => lock.packages[`node_modules/${name}`]?.version !== version,
    );
    expect(others).toEqual([]);
  });

  it("S04: has the packages of every platform", () => {
    expect(missingOptionalPackages(lock.packages)).toEqual([]);
  });

  it("S04: has them in the versions that are asked for", () => {
    const wrong = Object.entries(lock.packages).flatMap(([location, { optionalDependencies = {} }]) =>
      Object.entries(optionalDependencies)
        .filter(([, version]) => /^\d/.test(version))
        .filter(([name, version]) => !installed(name).includes(version))
        .map(([name, version]) => `${location}: ${name}@${version}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe("S04: a version with a known vulnerability", () => {
  it.each([
    ["answers that leak across clients (CVE-2026-25536)", "@modelcontextprotocol/sdk", "1.26.0"],
    ["a compare-and-swap that several win", "better-auth", "1.7.7"],
    ["a compare-and-swap that several win", "@better-auth/drizzle-adapter", "1.7.7"],
    ["a framework of another age than its parts", "@better-auth/core", "1.7.7"],
    ["plugins of another age", "@better-auth/oauth-provider", "1.7.5"],
    ["plugins of another age", "@better-auth/api-key", "1.7.5"],
  ])("S04: has %s: %s before %s is not installed", (_what, name, least) => {
    const versions = installed(name);
    expect(versions.length).toBeGreaterThan(0);
    expect(versions.filter((version) => !isAtLeast(version, least))).toEqual([]);
  });

  it.each(["better-auth", "@better-auth/core", "better-call"])("S04: cannot come in beside the pinned %s", (name) => {
    expect(installed(name)).toEqual([pins[name]]);
  });

  it("S04: is told from later ones", () => {
    const later = ["1.7.7", "1.7.8", "1.8.0", "2.0.0", "1.10.0", "1.7.8-rc.1"];
    const earlier = ["1.7.6", "1.6.9", "0.9.9", "1.7.7-rc.1", "1.7"];
    expect([...later, ...earlier].filter((version) => isAtLeast(version, "1.7.7"))).toEqual(later);
  });
});

describe("the version", () => {
  it("is package.json's", () => {
    expect(VERSION).toBe(manifest.version);
  });

  it("of the schema is the number of migrations", () => {
    const journal = JSON.parse(read("migrations/meta/_journal.json")) as { entries: { idx: number; tag: string }[] };
    expect(SCHEMA_VERSION).toBe(journal.entries.length);
    expect(journal.entries.map(({ idx }) => idx)).toEqual(journal.entries.map((_, i) => i));
    for (const { tag } of journal.entries) expect(read(`migrations/${tag}.sql`).trim()).not.toBe("");
  });
});

describe("R4: the tables of keys", () => {
  it("R4: are Better Auth's own as its generator makes them", async () => {
    const words = (text: string) => text.replace(/\s+/g, " ").trim();
    expect(words(read("src/identity/schema.ts"))).toBe(words(await freshAuthSchema()));
  });

  it("R4: map Better Auth's model to apikey, with what it needs", () => {
    expect(getTableName(apikey)).toBe("apikey");
    expect(getTableConfig(apikey).columns.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["key", "config_id", "reference_id", "permissions", "enabled", "rate_limit_enabled"]),
    );
  });

  it("R4: leave api_token its original columns", () => {
    const { name, columns } = getTableConfig(apiToken);
    const original = [
      "id",
      "user_id",
      "name",
      "token_hash",
      "scopes",
      "last_used_at",
      "expires_at",
      "revoked_at",
      "created_at",
    ];
    expect(name).toBe("api_token");
    expect(columns.map((column) => column.name)).toEqual(original);
    const [, table = ""] = /create table "api_token" \((.*?)\n\);/is.exec(read("migrations/0000_tables.sql")) ?? [];
    expect([...table.matchAll(/^\s*"(\w+)"/gm)].map(([, column]) => column)).toEqual(original);
  });

  it("R4: keep no key of Better Auth in api_token, in any migration", () => {
    const journal = JSON.parse(read("migrations/meta/_journal.json")) as { entries: { tag: string }[] };
    const added = journal.entries.filter(({ tag }) =>
      /alter table "?api_token"? add column/i.test(read(`migrations/${tag}.sql`)),
    );
    expect(added).toEqual([]);
  });
});
