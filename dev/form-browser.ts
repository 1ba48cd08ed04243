/** A page of the gateway as a browser without scripts sees it. */
export interface Page {
  url: URL;
  status: number;
  html: string;
}

/** Where the browser ended: at a page, or sent away to another origin, such as a client's redirect URI. */
export type Visit = { page: Page } | { leftFor: URL };

/** A browser for forms and links, with cookies, for one origin. It stops where a redirect leaves that origin. */
export interface FormBrowser {
  open: (url: string | URL) => Promise<Visit>;
  /** Fills in the page's form for `action` (a path) and sends it; hidden fields go along. */
  submit: (page: Page, action: string, fields: Readonly<Record<string, string>>) => Promise<Visit>;
}

const MAX_REDIRECTS = 10;

export function formBrowser(origin: string): FormBrowser {
  const cookies = new Map<string, string>();

  async function visit(start: URL, first: RequestInit): Promise<Visit> {
    let url = start;
    let init = first;
    for (let hop = 0; hop < MAX_REDIRECTS; hop++) {
      if (url.origin !== origin) return { leftFor: url };
      const headers = new Headers(init.headers);
      headers.set("accept", "text/html");
      headers.set("sec-fetch-mode", "navigate");
      headers.set("cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
      const answer = await fetch(url, { ...init, headers, redirect: "manual" });
      for (const line of answer.headers.getSetCookie()) keep(line);
      const location = answer.headers.get("location");
      if (location === null) return { page: { url, status: answer.status, html: await answer.text() } };
      await answer.body?.cancel();
      url = new URL(location, url);
      init = {};
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects from ${start.href}`);
  }

  function keep(line: string): void {
    const [pair = ""] = line.split(";");
    const name = pair.slice(0, pair.indexOf("="));
    if (/max-age=0/i.test(line)) cookies.delete(name);
    else cookies.set(name, pair.slice(name.length + 1));
  }

  return {
    open: (url) => visit(new URL(url, origin), {}),
    submit: (page, action, fields) =>
      visit(new URL(action, origin), {
        method: "POST",
        body: new URLSearchParams({ ...hiddenFields(page, action), ...fields }).toString(),
        // As Chromium sends a form from a page with Referrer-Policy: no-referrer.
        headers: {
          origin: "null",
          "sec-fetch-site": "same-origin",
          "content-type": "application/x-www-form-urlencoded",
        },
      }),
  };
}

function hiddenFields(page: Page, action: string): Record<string, string> {
  const form = page.html.split("<form ").find((part) => part.includes(` action="${action}"`));
  if (form === undefined) throw new Error(`${page.url.pathname} has no form for ${action} (HTTP ${page.status})`);
  const inputs = form
    .slice(0, form.indexOf("</form>"))
    .matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g);
  return Object.fromEntries([...inputs].map(([, name, value]) => [unescaped(name), unescaped(value)]));
}

function unescaped(html = ""): string {
  const characters = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&amp;": "&" };
  return html.replace(/&(lt|gt|quot|#39|amp);/g, (entity) => characters[entity as keyof typeof characters]);
}

/**
 * Signs in where an authorization asks for it, allows (or denies) it, and returns the URL at which the client gets its
 * answer.
 */
export async function authorize(
  browser: FormBrowser,
  authorizationUrl: string | URL,
  login: { email: string; password: string },
  decision: "allow" | "deny" = "allow",
): Promise<URL> {
  let visit = await browser.open(authorizationUrl);
  if ("page" in visit && visit.page.url.pathname === "/sign-in") {
    visit = await browser.submit(visit.page, "/sign-in", { ...login });
  }
  if ("page" in visit && visit.page.url.pathname === "/consent") {
    visit = await browser.submit(visit.page, "/consent", { decision });
  }
  if ("page" in visit)
    throw new Error(`the authorization stopped at ${visit.page.url.pathname} (HTTP ${visit.page.status})`);
  return visit.leftFor;
}
