import MarkdownIt, { type StateBlock, type Token } from "markdown-it/browser";
import { linkText, safeLink } from "../frame/outside-link.tsx";
import { visibleText } from "../frame/untrusted.ts";

/** A run of text within a block. The text is not escaped: the code that writes it into a page has to escape it. */
export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong" | "emphasis" | "deleted"; children: Inline[] }
  | { kind: "link"; href: string; text: string };

/**
 * A part of a README. The kinds are everything that a page may contain; there is none for HTML. The `level` of a
 * heading is 3 to 6, because the page has its own headings above, and no level is skipped. `start` is the number of the
 * first item.
 */
export type Block =
  | { kind: "heading"; level: number; children: Inline[] }
  | { kind: "paragraph"; children: Inline[] }
  | { kind: "quote"; children: Block[] }
  | { kind: "code"; text: string }
  | { kind: "list"; start?: number; items: Block[][] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] }
  | { kind: "rule" };

/** Longer text is cut off. Publishers have 4 KiB for all of their metadata. */
const MAX_CHARACTERS = 8000;
/** Nesting of quotes, lists and emphasis. A list counts twice: once for itself and once for its item. */
const MAX_DEPTH = 16;
/** Short rows are filled up to the width of the table, so a few characters can produce many cells. */
const MAX_CELLS = 2000;
/** Bound on the size of the result: a link definition with a long URL can be used again and again. */
const MAX_SIZE = 64_000;
/** What an element adds to the size of the result besides its text, in characters. */
const ELEMENT_SIZE = 8;

const parser = new MarkdownIt("default", { html: false, linkify: false, maxNesting: MAX_DEPTH });
// `&#8238;` stays text: invisible characters are removed before parsing and must not come back.
parser.disable("entity");
// Every link is parsed. safeLink decides later, on the unchanged target.
parser.validateLink = () => true;
parser.normalizeLink = (target) => target;
parser.normalizeLinkText = (text) => text;
parser.block.ruler.before("table", "large_table", largeTable, { alt: ["paragraph", "reference"] });

/**
 * A table that could have more than {@link MAX_CELLS} cells becomes a code block: its text up to the next empty line.
 */
function largeTable(state: StateBlock, start: number, end: number, silent: boolean): boolean {
  const textOf = (line: number) => state.getLines(line, line + 1, 0, false).trim();
  const delimiters = start + 1 < end ? textOf(start + 1) : "";
  const columns = /^[|: \t-]+$/.test(delimiters) ? delimiters.split("|").length : 0;
  if (columns < 3 || columns * (end - start) <= MAX_CELLS || !textOf(start).includes("|")) return false;
  if (silent) return true;
  let after = start + 1;
  while (after < end && !state.isEmpty(after) && (state.sCount[after] ?? 0) >= state.blkIndent) after += 1;
  state.push("code_block", "code", 0).content = state.getLines(start, after, state.blkIndent, false);
  state.line = after;
  return true;
}

/**
 * Parses a README in Markdown (CommonMark with tables and strikethrough). HTML stays text, an image becomes its
 * description, a link that {@link safeLink} refuses becomes its text. Length, depth and size of the result are bounded.
 */
export function readMarkdown(source: string): Block[] {
  const text = source
    .slice(0, MAX_CHARACTERS)
    .toWellFormed()
    .split(/\r\n|\r|\n/)
    .map((line) => line.split("\t").map(visibleText).join("\t").trimEnd())
    .join("\n");
  return new Reader().blocks(treeOf(parser.parse(text, {})));
}

interface Node {
  token: Token;
  children: Node[];
}

/**
 * The tokens as a tree. Elements deeper than {@link MAX_DEPTH} are left out; their content goes to the enclosing
 * element.
 */
function treeOf(tokens: readonly Token[]): Node[] {
  const root: Node[] = [];
  const open = [root];
  for (const token of tokens) {
    if (token.nesting === -1) open.pop();
    else {
      const into = open.at(-1) ?? root;
      const node = { token, children: treeOfText(token) };
      const isKept = token.nesting === 0 || open.length <= MAX_DEPTH;
      if (isKept) into.push(node);
      if (token.nesting === 1) open.push(isKept ? node.children : into);
    }
  }
  return root;
}

const treeOfText = ({ type, children }: Token): Node[] =>
  type === "inline" && children !== null ? treeOf(children) : [];

/** Turns the tree of one README into blocks, in order, until the result reaches {@link MAX_SIZE}. */
class Reader {
  #left = MAX_SIZE;
  #topHeading = Infinity;
  #lastLevel = 2;

  blocks(nodes: readonly Node[]): Block[] {
    return nodes.map((node) => this.#block(node)).filter((block) => block !== undefined);
  }

  #block({ token, children }: Node): Block | undefined {
    if (!this.#fits(ELEMENT_SIZE)) return undefined;
    switch (token.type) {
      case "heading_open": {
        const runs = this.#inlines(children);
        return runs.length === 0 ? undefined : { kind: "heading", level: this.#levelOf(token), children: runs };
      }
      case "paragraph_open":
        return { kind: "paragraph", children: this.#inlines(children) };
      case "blockquote_open":
        return { kind: "quote", children: this.blocks(children) };
      case "bullet_list_open":
        return { kind: "list", items: this.#items(children) };
      case "ordered_list_open":
        return { kind: "list", start: Number(token.attrGet("start") ?? 1), items: this.#items(children) };
      case "fence":
      case "code_block":
        return this.#fits(token.content.length) ? { kind: "code", text: token.content.replace(/\n$/, "") } : undefined;
      case "table_open": {
        const [head = [], ...rows] = children
          .flatMap((part) => part.children)
          .map((row) => row.children.map((cell) => this.#inlines(cell.children)));
        return { kind: "table", head, rows };
      }
      case "hr":
        return { kind: "rule" };
      default:
        return undefined;
    }
  }

  #items(nodes: readonly Node[]): Block[][] {
    return nodes.filter(() => this.#fits(ELEMENT_SIZE)).map(({ children }) => this.blocks(children));
  }

  /** The level of a heading: below the page's own, and at most one level deeper than the heading before it. */
  #levelOf({ tag }: Token): number {
    const depth = Number(tag.slice(1));
    this.#topHeading = Math.min(this.#topHeading, depth);
    this.#lastLevel = Math.min(3 + depth - this.#topHeading, this.#lastLevel + 1, 6);
    return this.#lastLevel;
  }

  /** The runs of text in these nodes. `inline` nodes are replaced by their content. Adjacent texts are joined. */
  #inlines(nodes: readonly Node[]): Inline[] {
    const runs: Inline[] = [];
    for (const node of nodes.flatMap((one) => (one.token.type === "inline" ? one.children : [one]))) {
      const run = this.#inline(node);
      const last = runs.at(-1);
      if (run?.kind === "text" && last?.kind === "text") last.text += run.text;
      else if (run !== undefined) runs.push(run);
    }
    return runs;
  }

  #inline(node: Node): Inline | undefined {
    const { token, children } = node;
    if (!this.#fits(ELEMENT_SIZE)) return undefined;
    switch (token.type) {
      case "code_inline":
        return this.#fits(token.content.length) ? { kind: "code", text: token.content } : undefined;
      case "strong_open":
        return { kind: "strong", children: this.#inlines(children) };
      case "em_open":
        return { kind: "emphasis", children: this.#inlines(children) };
      case "s_open":
        return { kind: "deleted", children: this.#inlines(children) };
      case "link_open": {
        const href = safeLink(String(token.attrGet("href") ?? ""));
        const text = plainText(children).trim();
        if (!this.#fits(text.length + (href?.length ?? 0))) return undefined;
        return href === undefined ? textRun(text) : { kind: "link", href, text: linkText(text, href) };
      }
      default: {
        const text = plainText([node]);
        return this.#fits(text.length) ? textRun(text) : undefined;
      }
    }
  }

  /** Subtracts a size from the remaining one. Returns false when it does not fit. */
  #fits(size: number): boolean {
    this.#left -= size;
    return this.#left >= 0;
  }
}

const textRun = (text: string): Inline | undefined => (text === "" ? undefined : { kind: "text", text });

/** The plain text of these nodes: text and code as they are, images as their description, line breaks as spaces. */
function plainText(nodes: readonly Node[]): string {
  return nodes
    .map(({ token, children }) => {
      if (token.type === "softbreak" || token.type === "hardbreak") return " ";
      if (token.type === "image") return plainText(treeOf(token.children ?? []));
      return children.length > 0 ? plainText(children) : token.content;
    })
    .join("");
}
