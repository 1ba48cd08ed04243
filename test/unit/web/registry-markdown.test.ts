import { describe, expect, it } from "vitest";
import { readMarkdown, safeLink, type Block, type Inline } from "../../../src/web/registry-markdown.ts";
import { XSS } from "../../support/xss.ts";

const text = (content: string): Inline => ({ kind: "text", text: content });
const paragraph = (...children: Inline[]): Block => ({ kind: "paragraph", children });
/** The runs of a text that is one paragraph. */
const runs = (source: string): Inline[] => {
  const [block, ...more] = readMarkdown(source);
  expect(more).toEqual([]);
  return block?.kind === "paragraph" ? block.children : [];
};

describe("the blocks of a readme", () => {
  it("are headings, paragraphs, lists, quotes, code and rules", () => {
    const source = [
      "# Weather",
      "",
      "Tells the weather",
      "of tomorrow.",
      "",
      "- one",
      "  goes on",
      "* two",
      "",
      "1. first",
      "2) second",
      "> said",
      "> twice",
      "---",
      "~~~js",
      "if (a < b) {",
      "",
      "    c();",
      "~~~",
      "| a | b |",
      "|---|---|",
    ].join("\n");
    expect(readMarkdown(source)).toEqual([
      { kind: "heading", level: 3, children: [text("Weather")] },
      paragraph(text("Tells the weather of tomorrow.")),
      { kind: "list", ordered: false, items: [[text("one goes on")], [text("two")]] },
      { kind: "list", ordered: true, items: [[text("first")], [text("second")]] },
      { kind: "quote", children: [text("said twice")] },
      { kind: "rule" },
      { kind: "code", text: "if (a < b) {\n\n    c();" },
      { kind: "code", text: "| a | b |\n|---|---|" },
    ]);
  });

  it.each([
    ["", []],
    ["  \r\n\t\n", []],
    ["#", []],
    ["#hash", [paragraph(text("#hash"))]],
    ["## Closed ##", [{ kind: "heading", level: 3, children: [text("Closed")] }]],
    ["```\nnever closed", [{ kind: "code", text: "never closed" }]],
    ["a\r\rb", [paragraph(text("a")), paragraph(text("b"))]],
    ["- ", [paragraph(text("-"))]],
    ["* * *", [{ kind: "rule" }]],
  ])("of %j", (source, blocks) => {
    expect(readMarkdown(source)).toEqual(blocks);
  });

  it("have headings below those of the page, with no level left out", () => {
    const levels = (source: string) =>
      readMarkdown(source).map((block) => (block.kind === "heading" ? block.level : 0));
    expect(levels("# a\n## b\n#### c\n###### d\n# e")).toEqual([3, 4, 5, 6, 3]);
    expect(levels("### a\n# b\n### c")).toEqual([3, 3, 4]);
  });

  it("are those of the beginning only, in little time, whatever is written", () => {
    const hard = [
      "[",
      "*",
      "_",
      "`",
      "**a ",
      "[a](",
      "[a](b",
      "![",
      "<https://",
      "> ",
      "- ",
      "# ",
      "```\n",
      "- - ",
      "a_",
      "|",
      "\\",
    ];
    const before = performance.now();
    for (const piece of hard) readMarkdown(piece.repeat(100_000));
    expect(performance.now() - before).toBeLessThan(2_000);
    expect(readMarkdown("a\n\n".repeat(5_000)).length).toBeLessThanOrEqual(500);
  });
});

describe("the runs of a paragraph", () => {
  it.each<[string, Inline[]]>([
    [
      "a **b** _c_ `d <e>`",
      [
        text("a "),
        { kind: "strong", children: [text("b")] },
        text(" "),
        { kind: "emphasis", children: [text("c")] },
        text(" "),
        { kind: "code", text: "d <e>" },
      ],
    ],
    ["snake_case_name and 2*3*4", [text("snake_case_name and 2*3*4")]],
    ["\\*not\\* \\<b>", [text("*not* <b>")]],
    ["<b>bold</b> &amp;", [text("<b>bold</b> &amp;")]],
    [
      "see [docs](https://example.com/a?b=c#d)",
      [text("see "), { kind: "link", href: "https://example.com/a?b=c#d", text: "docs" }],
    ],
    ["<https://example.com>", [{ kind: "link", href: "https://example.com/", text: "https://example.com" }]],
    ["[docs](http://example.com)", [text("docs")]],
    ["[docs](/relative)", [text("docs")]],
    ["[docs](//example.com)", [text("docs")]],
    ["[docs](javascript:alert)", [text("docs")]],
    ["![a picture](https://example.com/x.png)", [text("a picture")]],
    [
      "[bank.example.com](https://evil.example.com)",
      [{ kind: "link", href: "https://evil.example.com/", text: "https://evil.example.com/" }],
    ],
    [
      "[https://bank.example.com/x](https://evil.example.com)",
      [{ kind: "link", href: "https://evil.example.com/", text: "https://evil.example.com/" }],
    ],
    [
      "[www.example.com](https://www.example.com)",
      [{ kind: "link", href: "https://www.example.com/", text: "www.example.com" }],
    ],
    ["a\u202eb\u200bc", [text("a b c")]],
  ])("of %j", (source, expected) => {
    expect(runs(source)).toEqual(expected);
  });

  it.each(XSS)("P06: lead nowhere but to https, whatever is written: %j", (source) => {
    const links = (inlines: readonly Inline[]): string[] =>
      inlines.flatMap((run) => {
        if (run.kind === "link") return [run.href];
        return "children" in run ? links(run.children) : [];
      });
    for (const block of readMarkdown(source)) {
      const within = block.kind === "list" ? block.items.flat() : "children" in block ? block.children : [];
      for (const href of links(within)) expect(href).toMatch(/^https:\/\/evil\.example\.com\/[^"<>]*$/);
    }
  });
});

describe("a link that somebody else chose", () => {
  it.each([
    ["https://example.com", "https://example.com/"],
    ["HTTPS://EXAMPLE.com/a b", "https://example.com/a%20b"],
    ["http://example.com", undefined],
    ["javascript:alert(1)", undefined],
    ["\tjavascript:alert(1)", undefined],
    [" https://example.com", undefined],
    ["https:example.com", undefined],
    ["https://user@example.com", undefined],
    ["https://", undefined],
    ["data:text/html,x", undefined],
  ])("P05: %j leads to %j", (target, href) => {
    expect(safeLink(target)).toBe(href);
  });
});
