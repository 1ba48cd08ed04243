import { visibleText } from "./untrusted.ts";

/** A run of text within a paragraph. Text is plain: whoever writes it into a page escapes it. */
export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong" | "emphasis"; children: Inline[] }
  | { kind: "link"; href: string; text: string };

/** A part of a readme. `level` of a heading is 3 to 6: the page has its own above, and no level is left out on the way down. */
export type Block =
  | { kind: "heading"; level: number; children: Inline[] }
  | { kind: "paragraph"; children: Inline[] }
  | { kind: "quote"; children: Inline[] }
  | { kind: "code"; text: string }
  | { kind: "list"; ordered: boolean; items: Inline[][] }
  | { kind: "rule" };

const MAX_CHARACTERS = 20_000;
const MAX_BLOCKS = 500;
const TOP_LEVEL = 3;
const LOWEST_LEVEL = 6;

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+|$)/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const ITEM = /^ {0,12}(?:[-*+]|\d{1,9}[.)])[ \t]+(?=\S)/;
const QUOTE = /^ {0,3}>[ \t]?/;
const TABLE_ROW = /^ {0,3}\|/;

/**
 * The blocks of a readme in a small part of Markdown: headings, paragraphs, flat lists, quotes, code, links, emphasis. Whatever else there is
 * (HTML above all) stays text. Pictures become their description. Work is linear in the text, of which only the beginning is read.
 */
export function readMarkdown(source: string): Block[] {
  const lines = source
    .slice(0, MAX_CHARACTERS)
    .toWellFormed()
    .split(/\r\n|\r|\n/)
    .map(visibleLine);
  const blocks: Block[] = [];
  const levels = headingLevels();
  for (let at = 0; at < lines.length && blocks.length < MAX_BLOCKS;) {
    const line = lines[at] ?? "";
    const fence = FENCE.exec(line)?.[1];
    const marks = HEADING.exec(line);
    if (line.trim() === "") at += 1;
    else if (fence !== undefined) {
      const end = lines.findIndex((one, index) => index > at && closes(one, fence));
      const last = end === -1 ? lines.length : end;
      blocks.push({ kind: "code", text: lines.slice(at + 1, last).join("\n") });
      at = last + 1;
    } else if (marks !== null) {
      const text = withoutTrailing(line.slice(marks[0].length).trimEnd(), "#").trim();
      if (text !== "") blocks.push({ kind: "heading", level: levels(marks[1]?.length ?? 1), children: inlines(text) });
      at += 1;
    } else if (RULE.test(line)) {
      blocks.push({ kind: "rule" });
      at += 1;
    } else {
      const end = endOf(lines, at);
      blocks.push(blockOf(lines.slice(at, end)));
      at = end;
    }
  }
  return blocks;
}

/** A line without what does not show; the spaces before it stay, for they tell code and lists apart. */
const visibleLine = (line: string) => visibleText(line.replaceAll("\t", "    ")).trimEnd();

function closes(line: string, fence: string): boolean {
  const text = line.trim();
  return text.length >= fence.length && withoutTrailing(text, fence.charAt(0)) === "";
}

function withoutTrailing(text: string, mark: string): string {
  let end = text.length;
  while (end > 0 && text.charAt(end - 1) === mark) end -= 1;
  return text.slice(0, end);
}

type LineKind = "item" | "quote" | "row" | "text";

function kindOf(line: string): LineKind {
  if (ITEM.test(line)) return "item";
  if (QUOTE.test(line)) return "quote";
  return TABLE_ROW.test(line) ? "row" : "text";
}

/** Where the block that begins at a line ends: at a blank line, or where another kind of block begins. */
function endOf(lines: readonly string[], start: number): number {
  const kind = kindOf(lines[start] ?? "");
  let at = start + 1;
  for (; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (line.trim() === "" || FENCE.test(line) || HEADING.test(line) || RULE.test(line)) break;
    const next = kindOf(line);
    if (next !== kind && !(kind === "item" && next === "text")) break;
  }
  return at;
}

function blockOf(lines: readonly string[]): Block {
  const first = lines[0] ?? "";
  const kind = kindOf(first);
  switch (kind) {
    case "item":
      return { kind: "list", ordered: /^\s*\d/.test(first), items: itemsOf(lines) };
    case "quote":
      return { kind: "quote", children: inlines(joined(lines.map((line) => line.replace(QUOTE, "")))) };
    case "row":
      return { kind: "code", text: lines.join("\n") };
    case "text":
      return { kind: "paragraph", children: inlines(joined(lines)) };
    default:
      return kind satisfies never;
  }
}

function itemsOf(lines: readonly string[]): Inline[][] {
  const items: string[][] = [];
  for (const line of lines) {
    const mark = ITEM.exec(line)?.[0];
    if (mark === undefined) items.at(-1)?.push(line);
    else items.push([line.slice(mark.length)]);
  }
  return items.map((item) => inlines(joined(item)));
}

const joined = (lines: readonly string[]) => lines.map((line) => line.trim()).join(" ");

/** The levels of a document's headings, moved below those of the page, each at most one below the one before. */
function headingLevels(): (depth: number) => number {
  let top = Infinity;
  let before = TOP_LEVEL - 1;
  return (depth) => {
    top = Math.min(top, depth);
    before = Math.min(TOP_LEVEL + depth - top, before + 1, LOWEST_LEVEL);
    return before;
  };
}

/** Each of them ends at the next character of its own kind, so that no text makes them look at it over and over. */
const CODE = /(?<!`)(`{1,2})(?!`)([^`\n]{1,1000})\1(?!`)/y;
const STRONG = /(\*\*|__)(?=[^\s*_])([^*_]{1,1000})(?<=\S)\1/y;
const EMPHASIS = /([*_])(?=[^\s*_])([^*_]{1,1000})(?<=\S)\1(?![\p{L}\p{N}])/uy;
const LINK = /(!?)\[([^[\]]{0,300})\]\(\s{0,3}<?([^\s()<>]{1,2000})>?(?:\s{1,3}"[^"]{0,300}")?\s{0,3}\)/y;
const ADDRESS = /<(https:\/\/[^\s<>]{1,2000})>/y;
const SPECIAL = /[`*_[!<\\]/;

function inlines(text: string): Inline[] {
  const found: Inline[] = [];
  let plain = "";
  const add = (one: Inline) => {
    if (plain !== "") found.push({ kind: "text", text: plain });
    plain = "";
    found.push(one);
  };
  for (let at = 0; at < text.length;) {
    const character = text.charAt(at);
    const match = SPECIAL.test(character) ? specialAt(text, at) : undefined;
    if (match === undefined) {
      plain += character;
      at += 1;
    } else {
      if (match.is === undefined) plain += match.text ?? "";
      else add(match.is);
      at = match.end;
    }
  }
  if (plain !== "") found.push({ kind: "text", text: plain });
  return found;
}

/** What begins at a place of the text; `text` instead of `is` when it comes to plain text. */
function specialAt(text: string, at: number): { is?: Inline; text?: string; end: number } | undefined {
  const next = text.charAt(at + 1);
  if (text.charAt(at) === "\\") return /[!-/:-@[-`{-~]/.test(next) ? { text: next, end: at + 2 } : undefined;
  const [code, , inner = ""] = matchAt(CODE, text, at) ?? [];
  if (code !== undefined) return { is: { kind: "code", text: inner.trim() || inner }, end: at + code.length };
  const isWithinWord = text.charAt(at) === "_" && /[\p{L}\p{N}]/u.test(text.charAt(at - 1));
  for (const [kind, form] of isWithinWord
    ? []
    : ([
        ["strong", STRONG],
        ["emphasis", EMPHASIS],
      ] as const)) {
    const [whole, , within = ""] = matchAt(form, text, at) ?? [];
    if (whole !== undefined) return { is: { kind, children: inlines(within) }, end: at + whole.length };
  }
  const [link, isPicture, label = "", target = ""] = matchAt(LINK, text, at) ?? [];
  if (link !== undefined) {
    const end = at + link.length;
    return isPicture === "!" ? { text: label, end } : { ...linkOf(label, target), end };
  }
  const [address, url = ""] = matchAt(ADDRESS, text, at) ?? [];
  return address === undefined ? undefined : { ...linkOf(url, url), end: at + address.length };
}

function matchAt(form: RegExp, text: string, at: number): RegExpExecArray | null {
  form.lastIndex = at;
  return form.exec(text);
}

/** A link, or its text alone where the target is none that a page may lead to. */
function linkOf(label: string, target: string): { is: Inline } | { text: string } {
  const href = safeLink(target);
  const text = label.replaceAll(/[`*]/g, "").trim();
  if (href === undefined) return { text };
  return { is: { kind: "link", href, text: text === "" || namesAnotherPlace(text, href) ? href : text } };
}

/** Where a page may lead: an absolute https URL without credentials. Undefined for anything else. */
export function safeLink(target: string): string | undefined {
  const url = /^https:\/\//i.test(target) ? URL.parse(target) : null;
  return url?.protocol === "https:" && url.username === "" && url.password === "" ? url.href : undefined;
}

/** Whether the text of a link looks like an address, and not like the one to which it leads. */
function namesAnotherPlace(text: string, href: string): boolean {
  const [, host] = /^(?:[a-z][a-z0-9+.-]*:\/\/)?((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})(?=[/:?#]|$)/iu.exec(text) ?? [];
  if (host === undefined) return false;
  const actual = new URL(href).hostname;
  return host.toLowerCase() !== actual && `www.${host.toLowerCase()}` !== actual;
}
