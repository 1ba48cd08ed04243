import { describe, expect, it } from "vitest";
import { readMarkdown, type Block, type Inline } from "../../../../src/web/registry/markdown.ts";
import { XSS } from "../../../support/xss.ts";

const text = (content: string): Inline => ({ kind: "text", text: content });
const paragraph = (...children: Inline[]): Block => ({ kind: "paragraph", children });
/** The runs of a text that is one paragraph. */
const runs = (source: string): Inline[] => {
  const [block, ...more] = readMarkdown(source);
  expect(more).toEqual([]);
  return block?.kind === "paragraph" ? block.children : [];
};

/** Everything that is in these blocks, however deep: blocks, runs, and the lists of them. */
const partsOf = (value: unknown): object[] =>
  typeof value === "object" && value !== null ? [value, ...Object.values(value).flatMap(partsOf)] : [];
const depthOf = (value: unknown): number =>
  typeof value === "object" && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
const linksOf = (blocks: readonly Block[]) =>
  partsOf(blocks).flatMap((part) => ("href" in part && typeof part.href === "string" ? [part.href] : []));

describe("the blocks of a README", () => {
  it("are headings, paragraphs, lists, quotes, code, tables and rules", () => {
    const source = [
      "# Weather",
      "",
      "Tells the weather",
      "of tomorrow.",
      "",
      "- one",
      "  goes on",
      "- two",
      "",
      "3. first",
      "4. second",
      "> said",
      "> twice",
      "---",
      "~~~js",
      "if (a < b) {",
      "",
      "    c();",
      "~~~",
      "| a | *b* |",
      "|---|:-:|",
      "| 1 | `2` |",
      "| 3 |",
    ].join("\n");
    expect(readMarkdown(source)).toEqual([
      { kind: "heading", level: 3, children: [text("Weather")] },
      paragraph(text("Tells the weather of tomorrow.")),
      { kind: "list", items: [[paragraph(text("one goes on"))], [paragraph(text("two"))]] },
      { kind: "list", start: 3, items: [[paragraph(text("first"))], [paragraph(text("second"))]] },
      { kind: "quote", children: [paragraph(text("said twice"))] },
      { kind: "rule" },
      { kind: "code", text: "if (a < b) {\n\n    c();" },
      {
        kind: "table",
        head: [[text("a")], [{ kind: "emphasis", children: [text("b")] }]],
        rows: [
          [[text("1")], [{ kind: "code", text: "2" }]],
          [[text("3")], []],
        ],
      },
    ]);
  });

  it.each<[string, Block[]]>([
    ["", []],
    ["  \r\n\t\n", []],
    ["#", []],
    ["#hash", [paragraph(text("#hash"))]],
    ["## Closed ##", [{ kind: "heading", level: 3, children: [text("Closed")] }]],
    ["Underlined\n===", [{ kind: "heading", level: 3, children: [text("Underlined")] }]],
    ["```\nnever closed", [{ kind: "code", text: "never closed" }]],
    ["    indented\n\tby a tab", [{ kind: "code", text: "indented\nby a tab" }]],
    ["a\r\rb", [paragraph(text("a")), paragraph(text("b"))]],
    ["- ", [{ kind: "list", items: [[]] }]],
    ["* * *", [{ kind: "rule" }]],
    ["a | b\nno table", [paragraph(text("a | b no table"))]],
    [
      "- [x] done\n- [ ] open",
      [{ kind: "list", items: [[paragraph(text("[x] done"))], [paragraph(text("[ ] open"))]] }],
    ],
    [
      "<div>\n# not a heading",
      [paragraph(text("<div>")), { kind: "heading", level: 3, children: [text("not a heading")] }],
    ],
  ])("of %j", (source, blocks) => {
    expect(readMarkdown(source)).toEqual(blocks);
  });

  it("stand within lists and quotes", () => {
    const source = "1. a\n\n   ```\n   code\n   ```\n   - b\n     > c\n     > - d\n2. e";
    expect(readMarkdown(source)).toEqual([
      {
        kind: "list",
        start: 1,
        items: [
          [
            paragraph(text("a")),
            { kind: "code", text: "code" },
            {
              kind: "list",
              items: [
                [
                  paragraph(text("b")),
                  {
                    kind: "quote",
                    children: [paragraph(text("c")), { kind: "list", items: [[paragraph(text("d"))]] }],
                  },
                ],
              ],
            },
          ],
          [paragraph(text("e"))],
        ],
      },
    ]);
  });

  it.each(["- a\n  - b\n    - c", "- a\n\t- b\n\t\t- c", "1. a\n   - b\n     1. c"])(
    "nest by indentation: %j",
    (source) => {
      const lists = partsOf(readMarkdown(source)).filter((part) => "items" in part);
      expect(lists).toHaveLength(3);
    },
  );

  it("have headings below those of the page, with no level left out", () => {
    const levels = (source: string) =>
      readMarkdown(source).map((block) => (block.kind === "heading" ? block.level : 0));
    expect(levels("# a\n## b\n#### c\n###### d\n# e")).toEqual([3, 4, 5, 6, 3]);
    expect(levels("### a\n# b\n### c")).toEqual([3, 3, 4]);
  });
});

describe("the work for a README", () => {
  const url = `https://example.com/${"u".repeat(1900)}`;
  const lines = (count: number, line: (index: number) => string) =>
    Array.from({ length: count }, (_, at) => line(at)).join("\n");
  const table = (columns: number, rows: number) =>
    `${"|a".repeat(columns)}|\n${"|-".repeat(columns)}|\n${"|\n".repeat(rows)}`;
  const repeated = (piece: string): [string, string] => [piece, piece.repeat(Math.ceil(262_144 / piece.length))];
  const HARD: [string, string][] = [
    ..."[ * _ ` ! < > | \\ ~ & # **a *a_ a**b a_ ~~a [a]( [a](b ![ ![[]() [[] <a <https:// <!-- &#1;"
      .split(" ")
      .map(repeated),
    ...["> ", "- ", "- - ", "1. ", "> - ", "> 1. ", "```\n", "[a]: b\n", "-\n", "a  \n", "> a\nb\n", "| a "].map(
      repeated,
    ),
    ["deep emphasis", `${"*a ".repeat(1_300)}${"a* ".repeat(1_300)}`],
    ["deep emphasis of two kinds", `${"*a __b ".repeat(560)}${"b__ a* ".repeat(560)}`],
    ["code of each length", lines(200, (at) => "`".repeat(at))],
    ["lists that go deeper", lines(120, (at) => `${"  ".repeat(at)}- a`)],
    ["quotes that go deeper", lines(120, (at) => `${">".repeat(at)} a`)],
    ["links to one long definition", `[a]: ${url}\n\n${"[a] ".repeat(1_500)}`],
    ["a wide table of short rows", table(900, 2_000)],
    ["a narrow table of many rows", table(20, 3_900)],
    ["many wide tables", `${table(60, 60)}\n`.repeat(20)],
    ["pictures in pictures", `${"![".repeat(1_300)}${"](a)".repeat(1_300)}`],
  ];

  it.each(HARD)("has a result of bounded size and depth, whatever is written: %j", (_, source) => {
    const blocks = readMarkdown(source);
    expect(partsOf(blocks).length).toBeLessThan(20_000);
    expect(linksOf(blocks).join("").length).toBeLessThan(64_000);
    // Each of at most 16 elements within each other is an object and the list of its children.
    expect(depthOf(blocks)).toBeLessThan(80);
  });

  it("ends at 8,000 characters", () => {
    const [block] = readMarkdown("a".repeat(9_000));
    expect(block).toEqual(paragraph(text("a".repeat(8_000))));
  });

  it("shows a table that could have too many cells as its text", () => {
    const source = `| a | b |\n|---|---|\n${"| 1 | 2 |\n".repeat(600)}`;
    expect(readMarkdown(`${source}\nafter`)).toEqual([
      { kind: "code", text: source.trimEnd() },
      paragraph(text("after")),
    ]);
    expect(readMarkdown(`> - ${source.replaceAll("\n", "\n>   ")}`)[0]?.kind).toBe("quote");
  });

  it("is done for a table of usual size", () => {
    const [block] = readMarkdown(`| a | b |\n|---|---|\n${"| 1 | 2 |\n".repeat(300)}`);
    expect(block?.kind === "table" && block.rows.length).toBe(300);
  });

  it("leaves out what stands deeper than it reads", () => {
    expect(JSON.stringify(readMarkdown(`${"> ".repeat(15)}seen`))).toContain("seen");
    expect(JSON.stringify(readMarkdown(`${"> ".repeat(17)}unseen`))).not.toContain("unseen");
    const emphasised = readMarkdown(`${"*a ".repeat(30)}${"a* ".repeat(30)}`);
    expect(JSON.stringify(emphasised).match(/a/g)?.length).toBeGreaterThanOrEqual(60);
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
    ["snake_case_name and 2 * 3 * 4", [text("snake_case_name and 2 * 3 * 4")]],
    ["~~gone~~", [{ kind: "deleted", children: [text("gone")] }]],
    ["**a _b_**", [{ kind: "strong", children: [text("a "), { kind: "emphasis", children: [text("b")] }] }]],
    ["one\\\ntwo", [text("one two")]],
    ["&#8238;&lt;", [text("&#8238;&lt;")]],
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
    ["![a *b* ![c](d)](e)", [text("a b c")]],
    [
      "[![a picture](https://example.com/x.png)](https://example.com)",
      [{ kind: "link", href: "https://example.com/", text: "a picture" }],
    ],
    ["[**a** `b`](https://example.com)", [{ kind: "link", href: "https://example.com/", text: "a b" }]],
    ["[docs]\n\n[docs]: https://example.com", [{ kind: "link", href: "https://example.com/", text: "docs" }]],
    ["https://example.com", [text("https://example.com")]],
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
    for (const href of linksOf(readMarkdown(source))) expect(href).toMatch(/^https:\/\/evil\.example\.com\/[^"<>]*$/);
  });
});
