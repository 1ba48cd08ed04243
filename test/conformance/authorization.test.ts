import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { authorize, formBrowser } from "../../dev/form-browser.ts";
import { command } from "../support/command.ts";
import { freePort } from "../../dev/free-port.ts";

const system = inject("system");
const SUITE = resolve(import.meta.dirname, "../../node_modules/.bin/conformance");
/** What the suite prints when it waits for somebody to sign in. */
const AUTHORIZATION_URL = /^http\S+\/authorize\?\S+$/m;
const SCENARIOS = ["authorization-code-grant", "authorization-server-metadata-endpoint"];

/** Signs in, allows it, and brings the answer to the suite, as a browser does. */
async function signIn(url: string): Promise<void> {
  await fetch(await authorize(formBrowser(system.url), url, system.user));
}

/** Runs the suite's scenarios and signs in where it asks a person to. */
async function runSuite(clientId: string, port: number): Promise<{ code: number; output: string }> {
  const args = ["authorization", "--url", system.url, "--client-id", clientId, "--resource", system.mcp];
  const child = spawn(SUITE, [...args, "--port", String(port)], { stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "close") as Promise<[number]>;
  let output = "";
  let isSignedIn = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      const [url] = AUTHORIZATION_URL.exec(output) ?? [];
      if (url === undefined || isSignedIn) return;
      isSignedIn = true;
      void signIn(url).catch(() => child.kill());
    });
  }
  const [code] = await ended;
  return { code, output };
}

describe("the official conformance suite", () => {
  it("R20: passes all of its authorization server scenarios, and has no others than these", async () => {
    const port = await freePort();
    const registered = await fetch(`${system.url}/api/auth/oauth2/register`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ client_name: "Suite", redirect_uris: [`http://127.0.0.1:${port}/callback`] }),
    });
    const { client_id: clientId } = await registered.json<{ client_id: string }>();
    const { code, output } = await runSuite(clientId, port);
    expect(output).not.toMatch(/FAILURE|SKIPPED|WARNING|✗/);
    expect(code).toBe(0);
    const listed = await command("conformance", ["list", "--authorization"]);
    expect([...listed.stdout.matchAll(/^ +- ([a-z-]+) \[/gm)].map(([, name]) => String(name)).toSorted()).toEqual(
      SCENARIOS,
    );
    for (const scenario of SCENARIOS) expect(output).toContain(scenario);
  });
});
