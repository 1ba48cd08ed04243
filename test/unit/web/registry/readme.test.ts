import { html } from "hono/html";
import { describe, expect, it } from "vitest";
import { Readme } from "../../../../src/web/registry/readme.tsx";

const pageOf = async (source: string) => {
  const page = await html`${Readme({ source })}`;
  return page.replace(/^<div class="stack readme">(.*)<\/div>$/s, "$1");
};

describe("a README on a page", () => {
  it("has a table that scrolls by itself, also by keyboard, with headers of its columns", async () => {
    expect(await pageOf("| a | b |\n|---|---|\n| `<c>` | d |")).toBe(
      '<div class="scroll" role="group" aria-label="Table" tabindex="0"><table>' +
        '<thead><tr><th scope="col">a</th><th scope="col">b</th></tr></thead>' +
        "<tbody><tr><td><code>&lt;c&gt;</code></td><td>d</td></tr></tbody></table></div>",
    );
  });

  it("has lists within lists, which begin at the number that is written", async () => {
    expect(await pageOf("1. a\n   - b\n\ntext\n\n2. c")).toBe(
      '<ol class="list"><li><p>a</p><ul class="list"><li><p>b</p></li></ul></li></ol>' +
        '<p>text</p><ol class="list" start="2"><li><p>c</p></li></ol>',
    );
  });

  it("has runs, quotes, rules and code", async () => {
    expect(await pageOf("> **a** _b_ ~~c~~\n\n---\n\n```\nd\n```\n\n###### e")).toBe(
      '<blockquote class="stack close"><p><strong>a</strong> <em>b</em> <del>c</del></p></blockquote>' +
        "<hr/><pre>d</pre><h3>e</h3>",
    );
  });

  it("has links that give no credit to where they lead", async () => {
    expect(await pageOf('[a <b>](https://example.com/?q="x)')).toBe(
      '<p><a href="https://example.com/?q=%22x" rel="nofollow noopener">a &lt;b&gt;</a></p>',
    );
  });
});
