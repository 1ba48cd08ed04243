// What the modules of this repository import, read from their sources.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const COMMENT = /\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g;
/** `import … from "x"`, `export … from "x"`, `import "x"`, `import("x")` as a value or a type. */
const IMPORT = /\b(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;

/** The specifiers that a module imports, in whatever way. */
export const importsOf = (source: string): string[] =>
  [...source.replace(COMMENT, "").matchAll(IMPORT)].map(([, from, direct]) => from ?? direct ?? "");

/** The TypeScript modules below a folder by their path from there, sorted, with their sources. */
export const modulesBelow = (folder: string): Map<string, string> =>
  new Map(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.tsx?$/.test(name))
      .map((name) => name.replaceAll("\\", "/"))
      .toSorted((a, b) => a.localeCompare(b))
      .map((file) => [file, readFileSync(join(folder, file), "utf8")]),
  );
