import { join, normalize, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { importsOf, modulesBelow } from "../support/imports.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** What each folder at the root may import from others. The Worker stands on nothing but itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  src: ["package.json"],
  commands: ["src"],
  dev: ["src", "commands"],
  // Documents and the manifest are read as text and data.
  test: ["src", "commands", "dev", "docs", "package.json"],
};

const topOf = (path: string) => path.split("/")[0] ?? "";

/** The imports of a module that leave its folder for one that it may not see. */
const forbidden = (file: string, source: string) =>
  importsOf(source)
    .filter((target) => target.startsWith("."))
    .map((target) => normalize(join(file, "..", target)).replaceAll("\\", "/"))
    .filter((target) => topOf(target) !== topOf(file) && !MAY_IMPORT[topOf(file)]?.includes(topOf(target)))
    .map((target) => `${file} → ${target}`);

describe("the folders at the root", () => {
  it.each(Object.keys(MAY_IMPORT))("%s imports only what it may see", (folder) => {
    const modules = modulesBelow(join(ROOT, folder));
    expect(modules.size).toBeGreaterThan(5);
    expect([...modules].flatMap(([file, source]) => forbidden(`${folder}/${file}`, source))).toEqual([]);
  });

  it("are told apart: an import that the rule forbids is found", () => {
    expect(forbidden("src/audit/event.ts", 'import { a } from "../../dev/stack.ts";')).toEqual([
      "src/audit/event.ts → dev/stack.ts",
    ]);
    expect(forbidden("src/a.ts", 'import { a } from "../commands/migrations.ts";')).toHaveLength(1);
    expect(forbidden("commands/migrate.ts", 'import { a } from "../dev/settings.ts";')).toHaveLength(1);
    expect(forbidden("dev/stack.ts", 'import { a } from "../test/support/command.ts";')).toHaveLength(1);
    expect(forbidden("dev/stack.ts", 'import { a } from "../commands/migrations.ts";')).toEqual([]);
    expect(forbidden("commands/legacy/rows.ts", 'import { a } from "../../src/identity/scopes.ts";')).toEqual([]);
  });
});
