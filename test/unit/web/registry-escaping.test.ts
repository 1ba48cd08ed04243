import { PgDialect } from "drizzle-orm/pg-core";
import type { SQL } from "drizzle-orm";
import { describe, expect, it } from "vitest";
import { PUBLISHER_META } from "../../../src/registry/definition/definition.ts";
import { web } from "../../../src/web/pages.tsx";
import { XSS } from "../../support/xss.ts";
import { browser, type Page } from "./browser.ts";
import { noStores, ORIGIN, SECRET, session } from "./scripted.ts";

/** Every tag that these pages write; `svg`, `img`, `script`, `iframe` and the like are not among them. */
const OWN_TAGS = new Set(
  "html head meta title link style body header a main div h1 h2 h3 h4 h5 h6 p footer section article nav form input label select option textarea button strong em bdi ul ol li dl dt dd code pre blockquote hr time details summary fieldset legend table thead tbody tr th td del".split(
    " ",
  ),
);
const OWN_LINK =
  /^(\/[^/\\]?|#|data:,$|https:\/\/evil\.example\.com\/[^"<>]*$|vscode:mcp\/install\?[\w%.~-]+$|cursor:\/\/anysphere\.cursor-deeplink\/mcp\/install\?[\w%.~=&;-]+$)/;

function expectOnlyOwnMarkup({ html }: Page): void {
  const tags = [...html.matchAll(/<\/?([a-z0-9-]+)/gi)].map(([, name = ""]) => name.toLowerCase());
  expect(tags.filter((name) => !OWN_TAGS.has(name))).toEqual([]);
  const whole = [...html.matchAll(/<([a-z0-9]+)((?:\s+[\w-]+(?:="[^"<>]*")?)*)\s*\/?>/gi)];
  // No tag that is torn by what it contains.
  expect(whole.length).toBe(tags.length - (html.match(/<\/[a-z]/gi)?.length ?? 0));
  const attributes = whole.flatMap(([, , list = ""]) => [...list.matchAll(/([\w-]+)(?:="([^"]*)")?/g)]);
  expect(attributes.map(([, name = ""]) => name).filter((name) => /^on|^(style|srcdoc|src)$/.test(name))).toEqual([]);
  for (const [, name = "", value = ""] of attributes) {
    if (name === "href") expect(value).toMatch(OWN_LINK);
    if (name === "action") expect(value).toMatch(/^\/[a-z]/);
  }
  for (const link of html.match(/<a [^>]*href="https:[^>]*>/g) ?? []) expect(link).toContain('rel="nofollow noopener"');
  expect(html.match(/<b\b/i)).toBeNull();
  // Values that a form sends back are exact, and nobody sees them.
  const shown = html.replaceAll(/<(input type="hidden"|option) [^>]*>/g, "");
  for (const invisible of ["\u0000", "\u001b", "\u202e", "\u200b"])
    expect([invisible, shown.includes(invisible)]).toEqual([invisible, false]);
}

const AT = "2026-01-02T03:04:05.000Z";

/** A version with this text in every field, as only somebody could put it there who has got past all checks. */
const row = (text: string) => ({
  name: text,
  version: text,
  status: "deprecated",
  status_message: text,
  status_changed_at: AT,
  published_at: AT,
  updated_at: AT,
  is_latest: true,
  is_public: true,
  gateway_slug: null,
  is_chosen: true,
  definition: {
    $schema: text,
    name: text,
    title: text,
    description: text,
    version: text,
    websiteUrl: text,
    repository: { url: text, source: text, id: text, subfolder: text },
    icons: [{ src: text, mimeType: text }],
    remotes: [{ type: "sse", url: text, headers: [{ name: text, description: text, isRequired: true }] }],
    packages: [
      {
        registryType: "npm",
        identifier: text,
        version: text,
        fileSha256: text,
        transport: { type: "stdio" },
        runtimeArguments: [{ type: "named", name: text, value: text }],
        environmentVariables: [{ name: text, description: text, value: text }],
      },
    ],
    _meta: { [PUBLISHER_META]: { readme: `${text}\n\nIn a line: ${text}`, tags: [text], tools: [text] } },
  },
});

/** The pages for somebody who is signed in, on a Postgres in which every text is this one. */
function person(text: string) {
  const dialect = new PgDialect();
  const answer = (query: SQL) => {
    const { sql } = dialect.sqlToQuery(query);
    if (sql.includes("registry_version")) return { rows: [row(text)] };
    if (sql.includes("registry_namespace"))
      return { rows: [{ namespace: text, tenant_id: "organization", method: "dns", proof: text, verified_at: AT }] };
    if (sql.includes("upstream_server")) return { rows: [{ upstreams: [text] }] };
    return { rows: [{ id: "organization", name: text }] };
  };
  const app = web({
    config: { BASE_URL: ORIGIN, LOGIN_PAGE: "/sign-in", BETTER_AUTH_SECRETS: [SECRET], SIGN_UP: { kind: "open" } },
    auth: async () => ({ handler: async () => Response.json(session({ name: text, email: text }).body) }),
    ...noStores(),
    db: {
      execute: async (query: SQL) => answer(query),
      batch: async (queries: readonly Promise<unknown>[]) => Promise.all(queries),
    } as never,
    log: () => undefined,
  });
  const visitor = browser(app, ORIGIN);
  visitor.cookies.set("__Secure-mrg.session_token", "token");
  return visitor;
}

describe("text that publishers choose", () => {
  it.each(XSS)("Q02 P06: is text in lists and searches: %j", async (text) => {
    for (const path of ["/registry", "/dashboard/registry"]) {
      for (const query of [
        "",
        `?${new URLSearchParams({ q: text, transport: text, package: text, status: text }).toString()}`,
      ]) {
        const page = await person(text).get(path + query);
        expect([200, 400]).toContain(page.status);
        expectOnlyOwnMarkup(page);
      }
    }
  });

  it.each(XSS)("Q02 P06: is text on the page of a server: %j", async (text) => {
    const version = new URLSearchParams({ version: text, done: text }).toString();
    for (const path of ["/registry", "/dashboard/registry"]) {
      const page = await person(text).get(`${path}/com.example%2Fweather?${version}`);
      expect(page.status).toBe(200);
      expectOnlyOwnMarkup(page);
    }
  });

  it.each(XSS)("Q02 P06: is text in the form where it is entered, and in what is wrong with it: %j", async (text) => {
    const visitor = person(text);
    const form = await visitor.get("/dashboard/registry/publish");
    expectOnlyOwnMarkup(form);
    const file = JSON.stringify({
      name: text,
      [text]: { [text]: text },
      description: text,
      websiteUrl: text,
      _meta: { [text]: text },
    });
    for (const definition of [text, file]) {
      const page = await visitor.submit(form, "/dashboard/registry/publish", {
        tenant: "organization",
        do: "publish",
        definition,
      });
      expect(page.status).toBe(400);
      expectOnlyOwnMarkup({ ...page, html: page.html.replace(/(<textarea [^>]*>)[^<]*(<\/textarea>)/, "$1$2") });
    }
  });

  it.each(XSS)("Q02: is text where an organization or the name of a server is asked for: %j", async (text) => {
    const named = new URLSearchParams({ tenant: text }).toString();
    const paths = [
      `/dashboard/registry?${named}`,
      `/dashboard/registry/publish?${named}`,
      `/dashboard/registry/com.example%2Fx?${named}`,
      `/registry/${encodeURIComponent(text.toWellFormed())}`,
      `/dashboard/registry/${encodeURIComponent(text.toWellFormed())}`,
    ];
    for (const path of paths) {
      const page = await person(text).get(path);
      expect(page.status).toBe(404);
      expectOnlyOwnMarkup(page);
    }
  });

  it("a page with markup of somebody else is found out", () => {
    const page = (html: string) => ({ status: 200, headers: new Headers(), location: null, html });
    for (const html of [
      "<script>",
      '<a href="javascript:x">',
      '<p onclick="x">',
      '<p title="a"b">',
      '<a href="https://evil.example.com/">',
    ])
      expect(() => expectOnlyOwnMarkup(page(html))).toThrow(/expected/);
    expectOnlyOwnMarkup(page('<p class="x">a</p><a href="/x">b</a><hr/>'));
  });
});
