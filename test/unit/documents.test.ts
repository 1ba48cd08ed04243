import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { readMarkdown } from "../support/documents.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const documents = ["", "docs", ".github"]
  .flatMap((folder) =>
    existsSync(join(ROOT, folder)) ? readdirSync(join(ROOT, folder)).map((name) => join(folder, name)) : [],
  )
  .filter((path) => path.endsWith(".md"))
  .map((path) => ({ path, facts: readMarkdown(readFileSync(join(ROOT, path), "utf8")) }));
const anchorsOf = new Map(documents.map(({ path, facts }) => [path, facts.anchors]));
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: Record<string, string> };

const isElsewhere = (target: string) => /^[a-z][a-z0-9+.-]*:/i.test(target);

/** The links of a document that lead nowhere: no such file, or no such heading in it. */
function deadLinks({ path, facts }: (typeof documents)[number]): string[] {
  return facts.links
    .filter(({ target }) => !isElsewhere(target))
    .filter(({ target }) => {
      const [file = "", anchor] = target.split("#");
      const to = file === "" ? path : relative(ROOT, resolve(ROOT, dirname(path), file));
      if (!existsSync(join(ROOT, to))) return true;
      return anchor !== undefined && anchorsOf.get(to)?.includes(anchor) !== true;
    })
    .map(({ line, target }) => `${path}:${line} ${target}`);
}

describe("the documents", () => {
  it("are all read", () => {
    expect(documents.map(({ path }) => path)).toEqual(expect.arrayContaining(["README.md", "docs/oauth.md"]));
    expect(documents.flatMap(({ facts }) => facts.links).length).toBeGreaterThan(20);
    expect(documents.flatMap(({ facts }) => facts.paths).length).toBeGreaterThan(20);
  });

  it.each(documents)("$path closes every code fence, and names the language of every block", ({ facts }) => {
    expect(facts.badFences).toEqual([]);
  });

  it.each(documents)("$path links to files and headings that exist", (document) => {
    expect(deadLinks(document)).toEqual([]);
  });

  it.each(documents)("$path names scripts that package.json has", ({ facts }) => {
    expect(facts.scripts.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  it.each(documents)("$path names paths that exist", ({ facts }) => {
    expect(facts.paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});

describe("the reader of documents", () => {
  it("finds a stray fence, also when their number is even", () => {
    expect(readMarkdown("```sh\nls\n```\n```\ntext\n").badFences).toEqual([4, 4]);
    expect(readMarkdown("```sh\nls\n```\n```\ntext\n```\n").badFences).toEqual([4]);
    expect(readMarkdown("````md\n```\n````\n\n~~~text\na\n~~~\n").badFences).toEqual([]);
  });

  it("finds links, headings, scripts and paths, and none in code", () => {
    const text =
      '# One `two`, three\n## Again\n## Again\n[a](b.md#c "d") `[x](y)` `src/app.ts` npm start\n```sh\nnpm run demo # [x](z)\n```\n';
    expect(readMarkdown(text)).toEqual({
      badFences: [],
      links: [{ line: 4, target: "b.md#c" }],
      anchors: ["one-two-three", "again", "again-1"],
      scripts: ["start", "demo"],
      paths: ["src/app.ts"],
    });
  });

  it("finds a link that leads nowhere", () => {
    const document = {
      path: "README.md",
      facts: readMarkdown("[a](no-such-file.md) [b](docs/oauth.md#no-such) [c](https://example.com/x)"),
    };
    expect(deadLinks(document)).toEqual(["README.md:1 no-such-file.md", "README.md:1 docs/oauth.md#no-such"]);
  });
});
