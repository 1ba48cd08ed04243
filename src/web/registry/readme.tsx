import type { FC } from "hono/jsx";
import { Outside } from "../frame/outside-link.tsx";
import type { Block, Inline } from "./markdown.ts";

/**
 * Renders a README that somebody else wrote, in the allowed part of Markdown. Images are left out, because the pages
 * load nothing from other origins. The parser is loaded with the first page that has a README.
 */
export const Readme: FC<{ source: string }> = async ({ source }) => {
  const { readMarkdown } = await import("./markdown.ts");
  return (
    <div class="stack readme">
      <Parts of={readMarkdown(source)} />
    </div>
  );
};

const Parts: FC<{ of: readonly Block[] }> = ({ of }) => (
  <>
    {of.map((block) => (
      <Part block={block} />
    ))}
  </>
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
        <blockquote class="stack close">
          <Parts of={block.children} />
        </blockquote>
      );
    case "code":
      return <pre>{block.text}</pre>;
    case "list":
      return <List block={block} />;
    case "table":
      return <Table block={block} />;
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

const List: FC<{ block: Extract<Block, { kind: "list" }> }> = ({ block: { start, items } }) => {
  const children = items.map((item) => (
    <li>
      <Parts of={item} />
    </li>
  ));
  if (start === undefined) return <ul class="list">{children}</ul>;
  return (
    <ol class="list" {...(start === 1 ? {} : { start })}>
      {children}
    </ol>
  );
};

/** A table scrolls horizontally on narrow screens, by keyboard too. */
const Table: FC<{ block: Extract<Block, { kind: "table" }> }> = ({ block: { head, rows } }) => (
  <div class="scroll" role="group" aria-label="Table" tabindex={0}>
    <table>
      <thead>
        <tr>
          {head.map((cell) => (
            <th scope="col">
              <Runs of={cell} />
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr>
            {row.map((cell) => (
              <td>
                <Runs of={cell} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </div>
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
    case "deleted":
      return (
        <del>
          <Runs of={run.children} />
        </del>
      );
    case "link":
      return <Outside href={run.href}>{run.text}</Outside>;
    default:
      return run satisfies never;
  }
};
