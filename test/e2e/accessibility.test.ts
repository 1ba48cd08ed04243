import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { startChromium } from "../support/chromium.ts";
import { addAccessibleServer } from "../support/registry-rows.ts";

const system = inject("system");
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** WCAG 2.2 at levels A and AA, and what axe holds for good practice beside it. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const PUBLIC_PAGES = [
  "/",
  "/sign-in",
  "/sign-up",
  "/verify-email?token=expired",
  "/forgot-password",
  "/reset-password?token=expired",
  "/device",
  "/invite/unknown",
  "/error?error=invalid_client",
  "/consent",
  "/registry",
  "/registry?q=weather",
  "/registry/com.example%2Faccessible",
];
const PAGES_OF_A_PERSON = [
  "/",
  "/dashboard/apps",
  "/dashboard/keys",
  "/dashboard/keys/new",
  "/dashboard/registry",
  "/dashboard/registry?q=nothing+like+that&package=npm",
  "/dashboard/registry/com.example%2Faccessible",
  "/dashboard/registry/com.example%2Faccessible?version=0.9.0",
  "/dashboard/registry/publish",
  "/dashboard/sessions",
  "/dashboard/organizations",
  "/dashboard/account",
  "/device",
];

/** What axe finds wrong with a page, in words that lead to the place. */
async function problemsOf(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const results = await page.evaluate(async (rules) => {
    const { axe } = globalThis as unknown as { axe: { run: (options: object) => Promise<AxeResults> } };
    return axe.run({ runOnly: { type: "tag", values: rules } });
  }, RULES);
  return results.violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
}

/** An authorization request of a newly registered client, which nobody has verified. */
async function authorizationUrl(): Promise<string> {
  const redirectUri = "http://127.0.0.1:43120/callback";
  const answer = await fetch(`${system.url}/api/auth/oauth2/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ client_name: "Accessibility story", redirect_uris: [redirectUri] }),
  });
  const { client_id: clientId } = await answer.json<{ client_id: string }>();
  const query = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    code_challenge_method: "S256",
    state: "state",
  });
  return `${system.url}/api/auth/oauth2/authorize?${query.toString()}`;
}

beforeAll(() => addAccessibleServer(system.databaseUrl));

describe.each(["light", "dark"] as const)("in %s colours", (colorScheme) => {
  let browser: Browser;
  let stranger: BrowserContext;
  let person: BrowserContext;

  beforeAll(async () => {
    browser = await startChromium();
    // The pages forbid scripts; axe is one.
    stranger = await browser.newContext({ colorScheme, bypassCSP: true });
    person = await browser.newContext({ colorScheme, bypassCSP: true });
    const page = await person.newPage();
    await page.goto(`${system.url}/sign-in`);
    await page.getByLabel("Email").fill(system.user.email);
    await page.getByLabel("Password").fill(system.user.password);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.waitForURL(`${system.url}/`);
    await page.close();
  });
  afterAll(() => browser.close());

  async function expectAccessible(context: BrowserContext, url: string): Promise<void> {
    const page = await context.newPage();
    try {
      await page.goto(url);
      expect(await page.locator("h1").count()).toBe(1);
      expect(await problemsOf(page)).toEqual([]);
    } finally {
      await page.close();
    }
  }

  it("a page with a fault is found out", async () => {
    const page = await stranger.newPage();
    await page.setContent('<main><h1>Fault</h1><img src="data:,"><input></main>');
    expect((await problemsOf(page)).join()).toMatch(/image-alt.*label/);
    await page.close();
  });

  it.each(PUBLIC_PAGES)("%s can be used by everybody", (path) => expectAccessible(stranger, `${system.url}${path}`));

  it.each(PAGES_OF_A_PERSON)("%s of somebody who is signed in can be used by everybody", (path) =>
    expectAccessible(person, `${system.url}${path}`),
  );

  it("the sign-in of an authorization can be used by everybody", async () =>
    expectAccessible(stranger, await authorizationUrl()));

  it("the consent page of a client that nobody has verified can be used by everybody, and warns", async () => {
    const page = await person.newPage();
    await page.goto(await authorizationUrl());
    await page.waitForURL(/\/consent\?/);
    expect(await page.getByRole("note").first().innerText()).toContain("Nobody has verified this app");
    expect(await problemsOf(page)).toEqual([]);
    await page.close();
  });

  it("the pages of a key can be used by everybody, from the form to the question before its end", async () => {
    const page = await person.newPage();
    await page.goto(`${system.url}/dashboard/keys/new`);
    await page.getByRole("textbox", { name: "Name" }).fill("Accessibility story");
    await page.getByRole("checkbox", { name: "Use MCP tools" }).uncheck();
    await page.getByText("Limits", { exact: true }).click();
    await page.getByLabel("Addresses").fill("nowhere");
    await page.getByRole("button", { name: "Create API key" }).click();
    expect(await page.getByRole("alert").count()).toBe(3);
    expect(await problemsOf(page)).toEqual([]);
    await page.getByRole("checkbox", { name: "Use MCP tools" }).check();
    await page.getByLabel("Addresses").fill("192.0.2.7");
    await page.getByRole("button", { name: "Create API key" }).click();
    expect(await page.getByRole("textbox", { name: "Key" }).inputValue()).toMatch(/^mrg_live_/);
    expect(await problemsOf(page)).toEqual([]);
    await page.getByRole("link", { name: "Details of the key" }).click();
    expect(await problemsOf(page)).toEqual([]);
    await page.getByRole("link", { name: "Revoke this key" }).click();
    expect(await problemsOf(page)).toEqual([]);
    await page.getByRole("button", { name: "Revoke the key" }).click();
    await page.getByText("It never works again").waitFor();
    expect(await problemsOf(page)).toEqual([]);
    await page.close();
  });

  it("the form for publishing can be used by everybody when the file is wrong and when it is good", async () => {
    const page = await person.newPage();
    await page.goto(`${system.url}/dashboard/registry/publish`);
    const file = page.getByLabel("server.json");
    const good = await file.inputValue();
    await file.fill('{"name": "x", "version": "^1"}');
    await page.getByRole("button", { name: "Check" }).click();
    expect(await page.getByRole("alert").innerText()).toContain("/description");
    expect(await problemsOf(page)).toEqual([]);
    await page.getByLabel("server.json").fill(good);
    await page.getByRole("button", { name: "Check" }).click();
    await page.getByText("server.json is valid").waitFor();
    expect(await problemsOf(page)).toEqual([]);
    await page.close();
  });

  it("a form that was filled in wrongly can be used by everybody", async () => {
    const page = await stranger.newPage();
    await page.goto(`${system.url}/sign-in`);
    await page.getByLabel("Email").fill(system.user.email);
    await page.getByLabel("Password").fill("not the password");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.getByRole("alert").waitFor();
    expect(await problemsOf(page)).toEqual([]);
    await page.close();
  });
});
