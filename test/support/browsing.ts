import { origin as mainOrigin, request } from "./gateway.ts";

/** Sends a request to a gateway by path. */
export type Send = (path: string, init?: RequestInit) => Promise<Response>;

/** A page as a browser without scripts sees it. */
export interface Page {
  url: URL;
  status: number;
  headers: Headers;
  html: string;
}

/** Where the browser ended: at a page, or sent away to another origin, such as a client's redirect URI. */
export type Visit = { page: Page } | { leftFor: URL };

type Fields = Readonly<Record<string, string>>;

/** A browser for forms and links, with cookies and one network address, for one gateway. It stops where a redirect leaves the origin. */
export interface FormBrowser {
  cookies: Map<string, string>;
  /** Every `set-cookie` line that it was given. */
  cookieLines: string[];
  /** Every answer on the way, redirects included, oldest first. */
  answers: { path: string; status: number; headers: Headers }[];
  /** One request with its cookies, no redirect followed. */
  send: Send;
  open: (path: string) => Promise<Visit>;
  post: (path: string, fields: Fields, headers?: Fields) => Promise<Visit>;
  /** Fills in the page's form for `action` (a path) and sends it; hidden fields go along. */
  submit: (page: Page, action: string, fields: Fields, headers?: Fields) => Promise<Visit>;
}

const MAX_REDIRECTS = 10;

export function formBrowser(gateway: Send = request, origin = mainOrigin): FormBrowser {
  const cookies = new Map<string, string>();
  const cookieLines: string[] = [];
  const answers: FormBrowser["answers"] = [];
  const address = newAddress();

  async function send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("cf-connecting-ip", address);
    if (cookies.size > 0) headers.set("cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
    const answer = await gateway(path, { ...init, headers });
    for (const line of answer.headers.getSetCookie()) keep(line);
    answers.push({ path, status: answer.status, headers: answer.headers });
    return answer;
  }

  function keep(line: string): void {
    cookieLines.push(line);
    const [pair = ""] = line.split(";");
    const name = pair.slice(0, pair.indexOf("="));
    if (/max-age=0/i.test(line)) cookies.delete(name);
    else cookies.set(name, pair.slice(name.length + 1));
  }

  async function visit(start: string, first: RequestInit): Promise<Visit> {
    let url = new URL(start, origin);
    let init = first;
    for (let hop = 0; hop < MAX_REDIRECTS; hop++) {
      if (url.origin !== origin) return { leftFor: url };
      const headers = { accept: "text/html", "sec-fetch-mode": "navigate", ...(init.headers as Fields) };
      const answer = await send(`${url.pathname}${url.search}`, { ...init, headers });
      const location = answer.headers.get("location");
      if (location === null) {
        return { page: { url, status: answer.status, headers: answer.headers, html: await answer.text() } };
      }
      await answer.body?.cancel();
      url = new URL(location, url);
      init = {};
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects from ${start}`);
  }

  const post: FormBrowser["post"] = (path, fields, headers = {}) =>
    visit(path, {
      method: "POST",
      body: new URLSearchParams({ ...fields }).toString(),
      // As Chromium sends a form from a page with Referrer-Policy: no-referrer.
      headers: {
        origin: "null",
        "sec-fetch-site": "same-origin",
        "content-type": "application/x-www-form-urlencoded",
        ...headers,
      },
    });

  return {
    cookies,
    cookieLines,
    answers,
    send,
    open: (path) => visit(path, {}),
    post,
    submit: (page, action, fields, headers) => post(action, { ...hiddenFields(page, action), ...fields }, headers),
  };
}

/** A network address that no other test uses. */
export const newAddress = () => `11.${crypto.getRandomValues(new Uint8Array(3)).join(".")}`;

/** The page of a visit that must not have led away. */
export function pageOf(visit: Visit): Page {
  if ("page" in visit) return visit.page;
  throw new Error(`the browser was sent to ${visit.leftFor.href}`);
}

/** The foreign URL of a visit that must have led away. */
export function leftFor(visit: Visit): URL {
  if ("leftFor" in visit) return visit.leftFor;
  const { url, status, html } = visit.page;
  throw new Error(`the browser stayed at ${url.pathname} (HTTP ${status}): ${textOf(html).slice(0, 300)}`);
}

/** The hidden fields of a page's form for `action`. */
export function hiddenFields(page: Page, action: string): Record<string, string> {
  const form = page.html.split("<form ").find((part) => part.includes(` action="${action}"`));
  if (form === undefined) throw new Error(`${page.url.pathname} has no form for ${action} (HTTP ${page.status})`);
  const inputs = form
    .slice(0, form.indexOf("</form>"))
    .matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g);
  return Object.fromEntries([...inputs].map(([, name, value]) => [decoded(name), decoded(value)]));
}

/** The words of a page, without its markup. */
export function textOf(html: string): string {
  const body = html.slice(Math.max(0, html.indexOf("<main")));
  return decoded(body.replaceAll(/<[^>]*>/g, " "))
    .replaceAll(/\s+/g, " ")
    .trim();
}

function decoded(html = ""): string {
  const characters = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };
  return html.replace(/&(lt|gt|quot|#39|amp);/g, (entity) => characters[entity as keyof typeof characters]);
}
