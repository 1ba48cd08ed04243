import type { Hono } from "hono";
import type { HttpEnv } from "../../../src/platform/http.ts";

/** A page as a browser without scripts sees it. */
export interface Page {
  status: number;
  headers: Headers;
  location: string | null;
  html: string;
}

type Fields = Readonly<Record<string, string>>;

/** A browser that keeps cookies and posts forms as Chromium does under `Referrer-Policy: no-referrer`: with `Origin: null`. */
export function browser(app: Hono<HttpEnv>, origin: string) {
  const cookies = new Map<string, string>();

  async function send(path: string, init: RequestInit = {}): Promise<Page> {
    const headers = new Headers(init.headers);
    headers.set("cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
    const url = new URL(path, origin);
    if (url.origin !== origin) throw new Error(`not a page of ours: ${path}`);
    const answer = await app.request(url.href, { ...init, headers });
    for (const line of answer.headers.getSetCookie()) keep(line);
    return {
      status: answer.status,
      headers: answer.headers,
      location: answer.headers.get("location"),
      html: await answer.text(),
    };
  }

  function keep(line: string): void {
    const [pair = ""] = line.split(";");
    const name = pair.slice(0, pair.indexOf("="));
    if (/max-age=0/i.test(line)) cookies.delete(name);
    else cookies.set(name, pair.slice(name.length + 1));
  }

  const post = (path: string, fields: Fields | URLSearchParams, headers: Fields = {}) =>
    send(path, {
      method: "POST",
      body: new URLSearchParams(fields instanceof URLSearchParams ? fields : { ...fields }).toString(),
      headers: {
        origin: "null",
        "sec-fetch-site": "same-origin",
        "content-type": "application/x-www-form-urlencoded",
        ...headers,
      },
    });

  /** Fills in the page's form for `action` and sends it. */
  const submit = (page: Page, action: string, fields: Fields, headers: Fields = {}) =>
    post(action, { ...hiddenFields(page, action), ...fields }, headers);

  return { cookies, get: (path: string) => send(path), post, submit };
}

/** The hidden fields of a page's form for `action`. */
export function hiddenFields(page: Page, action: string): Record<string, string> {
  const form = page.html.split("<form ").find((part) => part.includes(` action="${action}"`));
  if (form === undefined) throw new Error(`the page has no form for ${action}:\n${page.html}`);
  const inputs = form
    .slice(0, form.indexOf("</form>"))
    .matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g);
  return Object.fromEntries([...inputs].map(([, name, value]) => [decoded(name), decoded(value)]));
}

/** Text of HTML: its character references resolved. */
function decoded(html = ""): string {
  return html
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
}
