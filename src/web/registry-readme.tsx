import type { FC } from "hono/jsx";
import { readMarkdown, type Block, type Inline } from "./registry-markdown.ts";

/** A readme that somebody else wrote: the safe part of its Markdown. Pictures are left out, for the pages load nothing from elsewhere. */
export const Readme: FC<{ source: string }> = ({ source }) => (
  <div class="stack">
    {readMarkdown(source).map((block) => (
      <Part block={block} />
    ))}
  </div>
);

const Part: FC<{ block: Block }> = ({ block }) => {
  switch (block.kind) {
    case "heading":
      return <Heading level={block.level} children={<Runs of={block.children} />} />;
    case "paragraph":
      return (
        <p>
          <Runs of={block.children} />
        </p>
      );
    case "quote":
      return (
        <blockquote>
          <p>
            <Runs of={block.children} />
          </p>
        </blockquote>
      );
    case "code":
      return <pre>{block.text}</pre>;
    case "list":
      return block.ordered ? (
        <ol class="list">
          <Items of={block.items} />
        </ol>
      ) : (
        <ul class="list">
          <Items of={block.items} />
        </ul>
      );
    case "rule":
      return <hr />;
    default:
      return block satisfies never;
  }
};

const Heading: FC<{ level: number; children: unknown }> = ({ level, children }) => {
  if (level === 3) return <h3>{children}</h3>;
  if (level === 4) return <h4>{children}</h4>;
  return level === 5 ? <h5>{children}</h5> : <h6>{children}</h6>;
};

const Items: FC<{ of: readonly Inline[][] }> = ({ of }) => (
  <>
    {of.map((item) => (
      <li>
        <Runs of={item} />
      </li>
    ))}
  </>
);

const Runs: FC<{ of: readonly Inline[] }> = ({ of }) => (
  <>
    {of.map((run) => (
      <Run run={run} />
    ))}
  </>
);

const Run: FC<{ run: Inline }> = ({ run }) => {
  switch (run.kind) {
    case "text":
      return <>{run.text}</>;
    case "code":
      return <code>{run.text}</code>;
    case "strong":
      return (
        <strong>
          <Runs of={run.children} />
        </strong>
      );
    case "emphasis":
      return (
        <em>
          <Runs of={run.children} />
        </em>
      );
    case "link":
      return <Outside href={run.href}>{run.text}</Outside>;
    default:
      return run satisfies never;
  }
};

/** A link that somebody else chose, by `safeLink`. */
export const Outside: FC<{ href: string; children?: unknown }> = ({ href, children }) => (
  <a href={href} rel="nofollow noopener">
    {children}
  </a>
);
