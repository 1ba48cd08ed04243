// `npm run demo`: uses the product with a real MCP client and prints each step. Exits with 0 only if every step worked.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { authorize, formBrowser } from "./form-browser.ts";
import { memoryOAuthClient } from "./oauth-client.ts";

interface System {
  url: string;
  mcp: string;
  user: { email: string; password: string };
  apiKey: string;
  readOnlyApiKey: string;
}

interface AuditEntry {
  event: string;
  target: string | null;
  outcome: string;
  credentialKind: string;
}

const file = join(resolve(process.env["STACK_DIR"] ?? ".local"), "stack.json");
const REDIRECT = "http://127.0.0.1:33418/callback";
let step = 0;

function say(text: string): void {
  step += 1;
  console.log(`${String(step).padStart(2)}. ${text}`);
}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`it should be true that ${what}`);
}

/** Uses the running system, or starts one for the length of the demo. */
async function runningSystem(): Promise<{ system: System; started: ChildProcess | undefined }> {
  const running = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as System) : undefined;
  if (running && (await fetch(`${running.url}/healthz`).catch(() => undefined))?.ok)
    return { system: running, started: undefined };
  console.log("Starting the system …");
  const started = spawn(process.execPath, [join(import.meta.dirname, "start.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  const ended = once(started, "exit").then(() => Promise.reject(new Error(`npm start failed:\n${output}`)));
  const ready = new Promise<void>((done) => {
    started.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.includes("is ready at")) done();
    });
  });
  await Promise.race([ready, ended]);
  return { system: JSON.parse(readFileSync(file, "utf8")) as System, started };
}

async function signIn(system: System): Promise<Client> {
  const provider = memoryOAuthClient({ name: "Demo client", redirectUrl: REDIRECT });
  const transport = () => new StreamableHTTPClientTransport(new URL(system.mcp), { authProvider: provider });
  const client = () => new Client({ name: "demo", version: "1" }, { versionNegotiation: { mode: "auto" } });
  const first = transport();
  const refused = await client()
    .connect(first)
    .then(() => false)
    .catch((error: unknown) => error instanceof UnauthorizedError);
  check(refused, "a client without a credential is asked to sign in");
  say("The client got 401, read the metadata it points to and registered itself.");
  const answer = await authorize(formBrowser(system.url), provider.authorizationUrl(), system.user);
  check(answer.searchParams.get("iss") === system.url, "the authorization response names its issuer");
  say(`${system.user.email} signed in and allowed it; the browser went back to ${answer.origin}.`);
  await first.finishAuth(answer.searchParams);
  say(`The client exchanged the code for tokens with the scopes: ${provider.current()?.scope ?? ""}.`);
  const connected = client();
  await connected.connect(transport());
  return connected;
}

async function withKey(system: System, key: string): Promise<Client> {
  const client = new Client({ name: "demo", version: "1" }, { versionNegotiation: { mode: "auto" } });
  const requestInit = { headers: { "x-api-key": key } };
  await client.connect(new StreamableHTTPClientTransport(new URL(system.mcp), { requestInit }));
  return client;
}

async function walk(system: System): Promise<void> {
  const person = await signIn(system);
  const { tools } = await person.listTools();
  say(
    `It sees ${tools.length} tools, among them ${tools
      .slice(0, 3)
      .map(({ name }) => name)
      .join(", ")}.`,
  );
  const who = await person.callTool({ name: "whoami", arguments: {} });
  say(`whoami: ${JSON.stringify(who.structuredContent)}`);
  const note = { title: "Demo", text: `written at ${new Date().toISOString()}` };
  const made = await person.callTool({ name: "notes__notes_create", arguments: note });
  check(made.isError !== true, "a tool of an upstream server can be called through the gateway");
  say('It wrote a note on the upstream server "notes", through the gateway.');
  await person.close();

  const script = await withKey(system, system.apiKey);
  const echo = await script.callTool({ name: "echo", arguments: { text: "hello from a script" } });
  check(JSON.stringify(echo.structuredContent) === '{"text":"hello from a script"}', "echo returns its text");
  const sum = await script.callTool({ name: "everything__add", arguments: { a: 20, b: 22 } });
  say(`A script with an API key called echo and everything__add: ${JSON.stringify(sum.structuredContent)}`);
  await script.close();

  const weak = await withKey(system, system.readOnlyApiKey);
  const refusal = await weak.callTool({ name: "echo", arguments: { text: "x" } }).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  check(refusal !== undefined, "a key without mcp:tools cannot call tools");
  say(`A key without the scope mcp:tools was refused: ${refusal.slice(0, 120)}`);
  await weak.close();

  const entries = await auditTrail(system);
  say("The audit log of the organization, newest first:");
  for (const { event, target, outcome, credentialKind } of entries) {
    console.log(`      ${event}  ${target ?? ""}  ${outcome}  (${credentialKind})`);
  }
}

/** Entries are written after the answers, so this polls until the last one is there. */
async function auditTrail(system: System): Promise<AuditEntry[]> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const answer = await fetch(`${system.url}/api/v1/audit?limit=6`, { headers: { "x-api-key": system.apiKey } });
    check(answer.ok, "the audit log can be read");
    const { entries } = await answer.json<{ entries: AuditEntry[] }>();
    if (entries.some(({ event }) => event === "mcp.refused")) return entries;
    await new Promise((next) => setTimeout(next, 100));
  }
  throw new Error("the refusal did not appear in the audit log");
}

const { system, started } = await runningSystem();
let failed = false;
try {
  await walk(system);
  console.log("\nEvery step worked.");
} catch (error) {
  failed = true;
  console.error(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`);
} finally {
  if (started) {
    const ended = once(started, "exit");
    started.kill("SIGTERM");
    await ended;
  }
}
process.exit(failed ? 1 : 0);
