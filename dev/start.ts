// `npm start`: runs the whole system on this machine, until Ctrl-C.
import { rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { startStack, type Stack } from "./stack.ts";
import { assertPortIsFree, startWorker } from "./worker.ts";

const port = Number(process.env["PORT"] ?? 8787);
const directory = resolve(process.env["STACK_DIR"] ?? ".local");
const stackFile = join(directory, "stack.json");
const url = `http://localhost:${port}`;
const SCHEDULE_MS = 60_000;

async function main(): Promise<void> {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new Error("PORT must be a number from 1 to 65535");
  await assertPortIsFree(port);
  if (process.argv.includes("--fresh")) rmSync(directory, { recursive: true, force: true });
  const stack = await startStack({
    directory,
    baseUrl: url,
    postgresUrl: process.env["POSTGRES_URL"],
    redisUrl: process.env["REDIS_URL"],
    redisPrefix: process.env["REDIS_PREFIX"],
    log: (line) => console.log(line),
  });
  const stops = [() => stack.stop()];
  const end = endOnce(stops);
  process.on("SIGINT", () => void end(0));
  process.on("SIGTERM", () => void end(0));
  try {
    const worker = startWorker({ port, settings: stack.settings, log: (text) => process.stdout.write(text) });
    stops.push(worker.stop);
    await worker.ready;
    void worker.exited.then(() => end(1));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    await end(1);
    return;
  }
  const schedule = setInterval(() => void fetch(`${url}/cdn-cgi/local/scheduled`).catch(() => undefined), SCHEDULE_MS);
  writeFileSync(stackFile, JSON.stringify(describe(stack), null, 2), { mode: 0o600 });
  stops.push(async () => {
    clearInterval(schedule);
    rmSync(stackFile, { force: true });
  });
  console.log(welcome(stack));
}

/** Stops everything that was started, in reverse order, once; a second signal has no effect. */
function endOnce(stops: (() => Promise<void>)[]): (code: number) => Promise<void> {
  let ending = false;
  return async (code) => {
    if (ending) return;
    ending = true;
    for (const stop of stops.toReversed()) {
      await stop().catch((error: unknown) => console.error(error));
    }
    process.exit(code);
  };
}

/** The contents of `stack.json`. */
function describe(stack: Stack): Record<string, unknown> {
  const { settings: _settings, stop: _stop, ...addresses } = stack;
  return { url, mcp: `${url}/mcp`, pid: process.pid, ...addresses };
}

function welcome({ user, admin, apiKey, mailbox }: Stack): string {
  return `
MCP Registry Gateway is ready at ${url}

  Sign in    ${user.email}  ${user.password}
  Admin      ${admin.email}  ${admin.password}
  API key    ${apiKey}
  Mail       ${mailbox}

Connect a client, then sign in when it opens the browser:

  Claude Code   claude mcp add --transport http gateway ${url}/mcp
  VS Code       code --add-mcp '{"name":"gateway","type":"http","url":"${url}/mcp"}'
  Cursor        add to ~/.cursor/mcp.json: {"mcpServers":{"gateway":{"url":"${url}/mcp"}}}

Or call a tool with the API key:

  curl -s ${url}/mcp -H 'x-api-key: ${apiKey}' -H 'content-type: application/json' \\
    -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}'

Ctrl-C stops everything and keeps the data.
`;
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
