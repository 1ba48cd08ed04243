import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { memoryOAuthClient } from "../../dev/oauth-client.ts";
import { startChromium } from "../support/chromium.ts";

const system = inject("system");

/** An MCP client on this machine: it waits at a loopback address for the browser to come back. */
async function startClient() {
  let arrived: (url: URL) => void = () => {};
  const callback = new Promise<URL>((done) => (arrived = done));
  const server: Server = createServer((request, response) => {
    arrived(new URL(request.url ?? "/", "http://127.0.0.1"));
    response.end("You can close this window.");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const redirectUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
  const provider = memoryOAuthClient({ name: "Browser story", redirectUrl });
  const transport = () => new StreamableHTTPClientTransport(new URL(system.mcp), { authProvider: provider });
  const client = () => new Client({ name: "story", version: "1" }, { versionNegotiation: { mode: "auto" } });
  const first = transport();
  await expect(client().connect(first)).rejects.toThrow(UnauthorizedError);
  return {
    authorizationUrl: provider.authorizationUrl().href,
    callback,
    /** Goes on with the code and says as whom the gateway sees the client. */
    whoami: async (answer: URL) => {
      await first.finishAuth(answer.searchParams);
      const connected = client();
      await connected.connect(transport());
      const { structuredContent } = await connected.callTool({ name: "whoami", arguments: {} });
      await connected.close();
      return structuredContent;
    },
    stop: () => server.close(),
  };
}

async function signIn(page: Page, login: { email: string; password: string }): Promise<void> {
  await page.getByLabel("Email").fill(login.email);
  await page.getByLabel("Password").fill(login.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

/** The link in the newest mail to an address. */
async function linkMailedTo(email: string): Promise<string> {
  const mails = await (await fetch(system.mailbox)).json<{ to: string; links: string[] }[]>();
  const link = mails.find(({ to }) => to === email)?.links[0];
  if (link === undefined) throw new Error("no mail has come");
  return link;
}

/** From a sign-in page to an account whose address is confirmed. */
async function openAccount(page: Page, email: string, password: string): Promise<void> {
  await page
    .getByRole("link", { name: /create (an )?account/i })
    .first()
    .click();
  await page.getByLabel("Name").fill("Newcomer");
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Create account" }).click();
  await page
    .getByText(/check your email/i)
    .first()
    .waitFor();
  const link = await linkMailedTo(email);
  expect(link).toMatch(/\/verify-email\?token=/);
  await page.goto(link);
  await page.getByRole("button", { name: "Confirm address" }).click();
  await page.getByText("Your email address is confirmed").waitFor();
}

describe.each([true, false])("with scripts in the browser: %s", (javaScriptEnabled) => {
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let client: Awaited<ReturnType<typeof startClient>>;

  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser.close());
  beforeEach(async () => {
    client = await startClient();
    context = await browser.newContext({ javaScriptEnabled });
    page = await context.newPage();
  });
  afterEach(async () => {
    await context.close();
    client.stop();
  });

  it("R1: a person signs in, sees who asks for what, allows it, and the client calls a tool", async () => {
    await page.goto(client.authorizationUrl);
    await signIn(page, system.user);
    await page.waitForURL(/\/consent\?/);
    const text = await page.locator("main").innerText();
    for (const shown of ["Browser story", "Use MCP tools on your behalf", "127.0.0.1", system.user.email]) {
      expect(text).toContain(shown);
    }
    await page.getByRole("button", { name: "Allow" }).click();
    expect(await client.whoami(await client.callback)).toMatchObject({
      userId: "demo-user",
      credential: "access_token",
    });
  });

  it("B06: a person denies it, and the client is told so", async () => {
    await page.goto(client.authorizationUrl);
    await signIn(page, system.user);
    await page.getByRole("button", { name: "Deny" }).click();
    const answer = await client.callback;
    expect(Object.fromEntries(answer.searchParams)).toMatchObject({ error: "access_denied", iss: system.url });
  });

  it("R12: a newcomer opens an account, confirms the address by mail, signs in and is back at the consent", async () => {
    const email = `newcomer-${crypto.randomUUID()}@example.com`;
    const password = "a long enough passphrase";
    await page.goto(client.authorizationUrl);
    await openAccount(page, email, password);
    await page
      .getByRole("link", { name: /sign in|continue/i })
      .first()
      .click();
    await signIn(page, { email, password });
    await page.getByRole("button", { name: "Allow" }).click();
    expect(await client.whoami(await client.callback)).toMatchObject({ credential: "access_token" });
  });

  it("R12: a lost password is replaced by a link that works once, and the old one opens nothing any more", async () => {
    const email = `forgetful-${crypto.randomUUID()}@example.com`;
    const [lost, found] = ["the passphrase that was lost", "the passphrase that came after"];
    await page.goto(`${system.url}/sign-in`);
    await openAccount(page, email, lost);
    await page.goto(`${system.url}/sign-in`);
    await page.getByRole("link", { name: /forgot/i }).click();
    await page.getByLabel("Email").fill(email);
    await page.getByRole("button").first().click();
    await page
      .getByText(/check your email/i)
      .first()
      .waitFor();
    const link = await linkMailedTo(email);
    expect(link).toContain("/reset-password?");
    await page.goto(link);
    await page.getByLabel("New password").fill(found);
    await page.getByRole("button").first().click();
    await page.getByText("Your new password is set").waitFor();

    await page.goto(link);
    expect(await page.getByLabel("New password").isVisible()).toBe(true);
    await page.getByLabel("New password").fill("a third passphrase, by a thief");
    await page.getByRole("button").first().click();
    expect(await page.locator("main").innerText()).toMatch(/used|expired/i);

    await page.goto(`${system.url}/sign-in`);
    await signIn(page, { email, password: lost });
    expect(await page.getByRole("alert").innerText()).toContain("do not match");
    await signIn(page, { email, password: found });
    await page.waitForURL(`${system.url}/`);
    expect(await page.locator("main").innerText()).toContain(email);
  });

  it("I08: an expired link of a mail says so and leads on", async () => {
    for (const path of ["/verify-email?token=expired", "/reset-password?token=expired"]) {
      await page.goto(`${system.url}${path}`);
      const password = page.getByLabel(/password/i);
      if (await password.isVisible()) {
        await password.fill("a long enough passphrase");
        await page.getByRole("button").first().click();
      }
      expect(await page.locator("main").innerText()).toMatch(/expired|does not work|used/i);
      expect(await page.locator("main a").count()).toBeGreaterThan(0);
    }
  });

  it("a wrong password is answered on the page, without saying which part was wrong", async () => {
    await page.goto(client.authorizationUrl);
    await signIn(page, { email: system.user.email, password: "not the password" });
    expect(await page.getByRole("alert").innerText()).toContain("do not match");
    expect(await page.getByLabel("Email").inputValue()).toBe(system.user.email);
    expect(await page.getByLabel("Password").inputValue()).toBe("");
  });
});
