import { html, raw } from "hono/html";
import type { Child, FC, PropsWithChildren } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { PageContext } from "./deps.ts";
import { STYLE } from "./style.ts";

interface PageOptions {
  /** Heading and document title. */
  title: string;
  status?: ContentfulStatusCode;
  /** For pages with code or tables; the default width suits a form. */
  wide?: boolean;
}

const PRODUCT = "MCP Registry Gateway";

const Layout: FC<PropsWithChildren<{ title: string; wide: boolean; nonce: string }>> = (props) => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="robots" content="noindex" />
      <title>{props.title === PRODUCT ? PRODUCT : `${props.title} · ${PRODUCT}`}</title>
      <link rel="icon" href="data:," />
      <style nonce={props.nonce}>{raw(STYLE)}</style>
    </head>
    <body>
      <header class="bar">
        <a href="/">{PRODUCT}</a>
      </header>
      <main class={props.wide ? "wide" : ""}>
        <div class="stack">
          <h1>{props.title}</h1>
          {props.children}
        </div>
      </main>
      <footer>One sign-in for all your MCP servers</footer>
    </body>
  </html>
);

/** Responds with a complete page: `body` under its heading, in the layout of all pages. */
export function htmlPage(
  c: PageContext,
  { title, status = 200, wide = false }: PageOptions,
  body: Child,
): Response | Promise<Response> {
  const page = (
    <Layout title={title} wide={wide} nonce={c.get("nonce")}>
      {body}
    </Layout>
  );
  return c.html(html`<!doctype html>${page}`, status);
}

/** A highlighted message. `danger` is announced at once by screen readers; `id` lets inputs refer to it. */
export const Notice: FC<PropsWithChildren<{ tone: "danger" | "warning" | "success"; id?: string }>> = (props) => (
  <div
    class={`notice ${props.tone}`}
    {...(props.id === undefined ? {} : { id: props.id })}
    role={props.tone === "danger" ? "alert" : "note"}
  >
    {props.children}
  </div>
);
