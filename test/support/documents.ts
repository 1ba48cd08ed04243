/** A link of a document: to a file, to a heading of it, or both. */
interface Link {
  line: number;
  target: string;
}

/** What a reader relies on in a Markdown document, as far as a test can follow it. */
export interface MarkdownFacts {
  /** Code fences that are not closed, or that open without saying their language: a stray closing fence opens a block. */
  badFences: number[];
  /** Links outside of code. */
  links: Link[];
  /** Anchors of the headings, as GitHub makes them. */
  anchors: string[];
  /** Scripts of package.json that the text tells to run, in prose or in code. */
  scripts: string[];
  /** Paths of this repository in code font. */
  paths: string[];
}

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}#{1,6}\s+(.+?)\s*#*$/;
const LINK = /\]\(([^()\s]+)(?:\s+"[^"]*")?\)/g;
const SCRIPT = /\bnpm (?:run (?:--silent )?([\w:.-]+)|(start|test)\b)/g;
const CODE = /`([^`\n]+)`/g;
const PATH = /^(?:src|test|dev|docs|migrations|commands|\.ci|\.github)\/[\w./-]+$/;

/** Reads a document line by line: CommonMark's fences (§4.5), headings, inline links and code spans. */
export function readMarkdown(text: string): MarkdownFacts {
  const facts: MarkdownFacts = { badFences: [], links: [], anchors: [], scripts: [], paths: [] };
  let open: { fence: string; line: number } | undefined;
  for (const [index, content] of text.split("\n").entries()) {
    const line = index + 1;
    for (const [, run, short] of content.matchAll(SCRIPT)) facts.scripts.push(run ?? short ?? "");
    const [, fence, info = ""] = FENCE.exec(content) ?? [];
    if (open) {
      const closes = fence !== undefined && fence.startsWith(open.fence) && info.trim() === "";
      if (closes) open = undefined;
      continue;
    }
    if (fence !== undefined) {
      if (info.trim() === "") facts.badFences.push(line);
      open = { fence, line };
      continue;
    }
    const [, heading] = HEADING.exec(content) ?? [];
    if (heading !== undefined) facts.anchors.push(anchorOf(heading, facts.anchors));
    for (const [, code = ""] of content.matchAll(CODE)) if (PATH.test(code)) facts.paths.push(code);
    for (const [, target = ""] of content.replace(CODE, "").matchAll(LINK)) facts.links.push({ line, target });
  }
  if (open) facts.badFences.push(open.line);
  return facts;
}

/** The anchor of a heading: lower case, punctuation dropped, spaces as hyphens, numbered when it is there already. */
function anchorOf(heading: string, taken: readonly string[]): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
  const anchor = text.replace(/[^\p{L}\p{N}_\- ]/gu, "").replaceAll(" ", "-");
  const same = taken.filter((other) => other === anchor || other.replace(/-\d+$/, "") === anchor).length;
  return same === 0 ? anchor : `${anchor}-${same}`;
}
