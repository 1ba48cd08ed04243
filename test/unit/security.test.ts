import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { ABUSE_CASES } from "../support/abuse-cases.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const page = readFileSync(join(ROOT, "docs/security.md"), "utf8");
const rows = [...page.matchAll(/^\| ([A-Z]\d\d) \| (.+) \| (.+) \|$/gm)].map(([, id = "", what = "", answer = ""]) => ({
  id,
  what,
  answer,
}));

const testFiles = readdirSync(join(ROOT, "test"), { recursive: true, encoding: "utf8" })
  .filter((name) => /\.test\.tsx?$/.test(name))
  .map((name) => ({ path: `test/${name}`, text: readFileSync(join(ROOT, "test", name), "utf8") }));

/** A test proves a case when its title says so: `"A02: …"`, or several: `"A02 A04: …"`. */
const proves = (text: string, id: string) => new RegExp(`["\`][^"\`\\n]*\\b${id}(:? [A-S]\\d\\d)*: `).test(text);

describe("the table of abuse cases", () => {
  it("has one row for each case, and no other", () => {
    expect(rows.map(({ id }) => id).toSorted()).toEqual(ABUSE_CASES.toSorted());
  });

  it.each(rows)("names tests of $id that exist and say so, or a reason", ({ id, answer }) => {
    const named = [...answer.matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path);
    for (const path of named) expect(testFiles.map((file) => file.path)).toContain(path);
    const proving = testFiles.filter(({ text }) => proves(text, id)).map(({ path }) => path);
    // A row that is only a list of tests claims that they prove the case; one with words explains what is missing.
    if (/^`test\/[^`]+`(, `test\/[^`]+`)*$/.test(answer)) expect(proving).toEqual(expect.arrayContaining(named));
    else expect(answer.replace(/`[^`]*`/g, "").split(/\s+/).length).toBeGreaterThan(3);
  });

  it("knows every case that a test names", () => {
    const named = testFiles.flatMap(({ text }) =>
      [...text.matchAll(/["`][^"`\n]*?\b([A-S]\d\d): /g)].map(([, id]) => id),
    );
    expect(
      [...new Set(named)].filter((id) => id !== undefined && !/^R\d\d$/.test(id) && !ABUSE_CASES.includes(id)),
    ).toEqual([]);
  });
});
