import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { PUBLISHER_META } from "../../src/registry/definition/definition.ts";
import { startChromium } from "../support/chromium.ts";
import { addServerRows, DEMO_TENANT, onDatabase, type ServerRow } from "../support/registry-rows.ts";
import { XSS } from "../support/xss.ts";

const system = inject("system");
/** Postgres keeps no NUL in text. */
const TEXTS = XSS.map((text) => text.replaceAll("\u0000", ""));
const nameOf = (index: number) => `com.example/xss-${String(index).padStart(2, "0")}`;

/** A server with a hostile text in every field that a page shows. */
const hostile = (text: string, index: number): ServerRow => ({
  name: nameOf(index),
  versions: [
    {
      version: text,
      status: "deprecated",
      statusMessage: text,
      definition: {
        title: text,
        description: text,
        websiteUrl: text,
        repository: { url: text, source: text },
        icons: [{ src: text }],
        remotes: [
          { type: "sse", url: text, headers: [{ name: text, value: text, description: text, isRequired: true }] },
          {
            type: "streamable-http",
            url: `https://mcp.example.org/${text}`,
            headers: [{ name: text, description: text, isRequired: true }],
          },
        ],
        packages: [
          {
            registryType: "npm",
            identifier: text,
            version: text,
            fileSha256: text,
            transport: { type: "stdio" },
            packageArguments: [{ type: "named", name: text, value: text }],
            environmentVariables: [{ name: text, value: text, description: text }],
          },
        ],
        _meta: { [PUBLISHER_META]: { readme: `${text}\n\nIn a line: ${text}`, tags: [text], tools: [text] } },
      },
    },
  ],
});

let browser: Browser;
let context: BrowserContext;
let page: Page;
/** What a page has tried: to run something, to load something from elsewhere, or to lead away. */
let tried: string[];

beforeAll(async () => {
  await addServerRows(system.databaseUrl, TEXTS.map(hostile));
  browser = await startChromium();
});
afterAll(() => browser.close());

beforeEach(async () => {
  context = await browser.newContext();
  page = await context.newPage();
  tried = [];
  await watch(page);
});
afterEach(() => context.close());

async function watch(watched: Page): Promise<void> {
  watched.on("dialog", (dialog) => {
    tried.push(`dialog ${dialog.message()}`);
    void dialog.dismiss();
  });
  watched.on("popup", () => tried.push("popup"));
  watched.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${system.url}/`) && !url.startsWith("data:,")) tried.push(`request ${url}`);
  });
  await watched.exposeFunction("tried", (what: string) => void tried.push(what));
  await watched.addInitScript({
    content: `document.addEventListener("securitypolicyviolation", (event) =>
      globalThis.tried("violation " + event.effectiveDirective + " " + event.blockedURI));`,
  });
}

/** Does what a reader could do by accident: points at everything, and gives it the focus. Links must lead to where links may. */
async function useAll(): Promise<void> {
  const links = await page.evaluate<{ href: string; rel: string }[]>(`(() => {
    for (const element of document.querySelectorAll("main *")) {
      for (const type of ["mouseover", "mouseenter", "pointerover"])
        element.dispatchEvent(new MouseEvent(type, { bubbles: true }));
      element.focus();
    }
    return [...document.querySelectorAll("a")].map(({ href, rel }) => ({ href, rel }));
  })()`);
  for (const { href, rel } of links) {
    expect(href).toMatch(/^(https?|vscode|cursor):/);
    if (!href.startsWith(system.url) && href.startsWith("http"))
      expect([href.slice(0, 8), rel]).toEqual(["https://", "nofollow noopener"]);
  }
  const elements = page.locator(
    "script, img, iframe, object, embed, svg, base, link:not([rel=icon]), main style, video",
  );
  expect(await elements.count()).toBe(0);
}

async function signIn(): Promise<void> {
  await page.goto(`${system.url}/sign-in`);
  await page.getByLabel("Email").fill(system.user.email);
  await page.getByLabel("Password").fill(system.user.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.waitForURL(`${system.url}/`);
}

describe("text that publishers choose, in Chromium", () => {
  it("a page in which such a text runs is found out", async () => {
    await page.goto(`${system.url}/registry`);
    await page.setContent("<img src=https://evil.example.com/x.png><img src=x onerror=alert(1)>");
    await page.evaluate("alert(2)");
    await expect.poll(() => tried.join()).toMatch(/dialog 2/);
    expect(tried.length).toBeGreaterThan(1);
  });

  it("Q02 P06: runs, loads and leads nowhere in the lists and searches", async () => {
    await signIn();
    const more = page.getByRole("link", { name: "More servers" });
    for (const path of ["/registry?q=xss", "/dashboard/registry?q=xss"]) {
      await page.goto(system.url + path);
      for (;;) {
        await useAll();
        if ((await more.count()) === 0) break;
        await more.click();
      }
    }
    for (const text of TEXTS.slice(0, 20)) {
      await page.goto(`${system.url}/dashboard/registry?${new URLSearchParams({ q: text, status: text }).toString()}`);
      await useAll();
    }
    expect(tried).toEqual([]);
  });

  it("Q02 P06: runs, loads and leads nowhere on the page of a server", async () => {
    await signIn();
    for (const [index, text] of TEXTS.entries()) {
      const isPublic = index % 3 === 0;
      await page.goto(`${system.url}${isPublic ? "" : "/dashboard"}/registry/${encodeURIComponent(nameOf(index))}`);
      expect(await page.locator("h2", { hasText: "Readme" }).count()).toBe(1);
      await useAll();
      expect([text, tried]).toEqual([text, []]);
    }
  });

  it("Q02: runs, loads and leads nowhere in the form in which it was entered, which keeps it", async () => {
    await signIn();
    await page.goto(`${system.url}/dashboard/registry/publish`);
    for (const text of XSS.map((one) => one.replaceAll("\u0000", ""))) {
      const file = JSON.stringify({
        name: text,
        [text]: text,
        description: text,
        icons: [{ src: text }],
        _meta: { [text]: 1 },
      });
      await page.getByLabel("server.json").fill(file);
      await page.getByRole("button", { name: "Check" }).click();
      await page.getByText("to fix. Nothing was published").waitFor();
      expect(await page.getByLabel("server.json").inputValue()).toBe(file);
      await useAll();
      expect([text, tried]).toEqual([text, []]);
    }
  });
});

describe("a person and the registry", () => {
  it("publishes a server, finds it, shows it to everybody, and withdraws it", async () => {
    const namespace = `com.example.n${crypto.randomUUID().slice(0, 8)}`;
    await onDatabase(system.databaseUrl, (client) =>
      client.query(
        "insert into registry_namespace (namespace, tenant_id, method, verified_at) values ($1, $2, 'dns', now())",
        [namespace, DEMO_TENANT],
      ),
    );
    const name = `${namespace}/lighthouse`;
    await signIn();
    await page.getByRole("link", { name: "MCP servers of your organization" }).click();
    await page.getByRole("link", { name: "Publish a server" }).click();
    const file = {
      name,
      title: "Lighthouses",
      description: "Where ships look",
      version: "1.0.0",
      remotes: [{ type: "streamable-http", url: "https://mcp.example.org/mcp" }],
    };
    await page.getByLabel("server.json").fill(JSON.stringify({ ...file, version: "^1" }));
    await page.getByRole("button", { name: "Check" }).click();
    expect(await page.getByRole("alert").innerText()).toContain("/version");
    await page.getByLabel("server.json").fill(JSON.stringify(file));
    await page.getByRole("button", { name: "Publish" }).click();
    await page.getByText("The version is published").waitFor();

    await page.goto(`${system.url}/dashboard/registry`);
    await page.getByLabel("Search").fill("lighthuose");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("link", { name: "Lighthouses" }).first().click();
    expect(await page.getByRole("link", { name: "Install in VS Code" }).getAttribute("href")).toContain(
      "vscode:mcp/install?",
    );
    await page.getByRole("button", { name: "Make public" }).click();
    await page.getByText("This server is public now").waitFor();

    const stranger = await (await browser.newContext()).newPage();
    const address = `${system.url}/registry/${encodeURIComponent(name)}`;
    await stranger.goto(address);
    expect(await stranger.locator("h1").innerText()).toBe("Lighthouses");

    await page.getByLabel(/Status of version/).selectOption("deleted");
    await page.getByLabel("Message").fill("Ships have satellites now");
    await page.getByRole("button", { name: "Set status" }).click();
    await page.getByText("This version is deleted").waitFor();
    expect((await stranger.goto(address))?.status()).toBe(404);
    await stranger.context().close();
    expect(tried).toEqual([]);
  });
});
