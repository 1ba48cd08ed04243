import MarkdownIt, { type StateBlock, type Token } from "markdown-it/browser";
import { linkText, safeLink } from "../frame/outside-link.tsx";
import { visibleText } from "../frame/untrusted.ts";

/** A run of text within a block. Text is plain: whoever writes it into a page escapes it. */
export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong" | "emphasis" | "deleted"; children: Inline[] }
  | { kind: "link"; href: string; text: string };

/**
 * A part of a README. The kinds are the list of what a page may contain; there is none for HTML. `level` of a heading is 3 to 6: the
 * page has its own headings above, and no level is skipped on the way down. `start` is the number of the first item.
 */
export type Block =
  | { kind: "heading"; level: number; children: Inline[] }
  | { kind: "paragraph"; children: Inline[] }
  | { kind: "quote"; children: Block[] }
  | { kind: "code"; text: string }
  | { kind: "list"; start?: number; items: Block[][] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] }
  | { kind: "rule" };

/** Publishers have 4 KiB for all of their metadata. What is longer is cut off. */
const MAX_CHARACTERS = 8000;
/** Quotes, lists and emphasis within each other. A list counts twice: itself and its item. */
const MAX_DEPTH = 16;
/** A short row is filled up to the width of its table, so few characters can make many cells. */
const MAX_CELLS = 2000;
/** Bound of the result: a definition with a long URL can be linked to again and again. */
const MAX_SIZE = 64_000;
/** What an element adds to the result, in characters, beside its text. */
const ELEMENT_SIZE = 8;

const parser = new MarkdownIt("default", { html: false, linkify: false, maxNesting: MAX_DEPTH });
// `&#8238;` stays text: what is invisible is removed before parsing, and must not come back.
parser.disable("entity");
// Every link is parsed; safeLink decides later, on the target as it was written.
parser.validateLink = () => true;
parser.normalizeLink = (target) => target;
parser.normalizeLinkText = (text) => text;
parser.block.ruler.before("table", "large_table", largeTable, { alt: ["paragraph", "reference"] });

/** A table that could have more than {@link MAX_CELLS} cells becomes code: its text up to the next empty line. */
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
 * The blocks of a README in Markdown (CommonMark with tables and strikethrough). HTML stays text, a picture becomes its description,
 * a link that no page may lead to becomes its text. Length, depth and size of the result are bounded.
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

/** The tokens as a tree. Beyond {@link MAX_DEPTH} elements are left out and their content belongs to the one around them. */
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

/** Turns the tree of one README into blocks, in order, until the result has its largest size. */
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

  /** The level of a heading: below those of the page, at most one below the heading before it. */
  #levelOf({ tag }: Token): number {
    const depth = Number(tag.slice(1));
    this.#topHeading = Math.min(this.#topHeading, depth);
    this.#lastLevel = Math.min(3 + depth - this.#topHeading, this.#lastLevel + 1, 6);
    return this.#lastLevel;
  }

  /** The runs of text in these nodes; the content of `inline` nodes stands for themselves. Neighbouring texts are one run. */
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

  /** Takes a size off what is left. False when nothing is left. */
  #fits(size: number): boolean {
    this.#left -= size;
    return this.#left >= 0;
  }
}

const textRun = (text: string): Inline | undefined => (text === "" ? undefined : { kind: "text", text });

/** What people read of these nodes: text and code as they are, pictures as their description, a line break as a space. */
function plainText(nodes: readonly Node[]): string {
  return nodes
    .map(({ token, children }) => {
      if (token.type === "softbreak" || token.type === "hardbreak") return " ";
      if (token.type === "image") return plainText(treeOf(token.children ?? []));
      return children.length > 0 ? plainText(children) : token.content;
    })
    .join("");
}
