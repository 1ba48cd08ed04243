import type { IncomingMessage } from "node:http";
import type { Controls } from "./controls.ts";
import { startEndpoint, type Exchange, type StreamAnswer } from "./endpoint.ts";
import type { JsonAnswer, RunningServer } from "./http-server.ts";
import {
  createCommandRunner,
  encodeReply,
  type Command,
  type CommandRunner,
  type Outcome,
} from "./upstash-commands.ts";
import { subscribe, type Subscription } from "./upstash-subscribe.ts";

/** Upstash's limit for the body of a request. */
const MAX_BYTES = 10 * 1024 * 1024;

interface Backend {
  redisUrl: string;
  token: string;
  keyPrefix: string;
  runner: CommandRunner;
}

/**
 * Serves Upstash's REST interface to Redis (upstash.com/docs/redis/features/restapi) on 127.0.0.1 in front of any
 * Redis: commands as JSON (`POST /`), as path (`GET /get/key`), `/pipeline`, `/multi-exec`, and `/subscribe`,
 * `/psubscribe` as server-sent events. With `keyPrefix` all keys and channels get that prefix, see `createKeyPrefix`.
 * Rejects without a Redis.
 */
export async function startUpstashRest(options: {
  redisUrl: string;
  token: string;
  keyPrefix?: string | undefined;
  port?: number | undefined;
  controls: Controls;
}): Promise<RunningServer & { url: string }> {
  const { redisUrl, token, keyPrefix = "" } = options;
  const runner = await createCommandRunner(redisUrl, options.keyPrefix);
  const backend: Backend = { redisUrl, token, keyPrefix, runner };
  const server = await startEndpoint({
    target: "upstash",
    controls: options.controls,
    port: options.port,
    maxBodyBytes: MAX_BYTES,
    read: (request, body) => readExchange(backend, request, body),
    failure: (message) => ({ error: `ERR ${message}` }),
  }).catch((error: unknown) => {
    runner.close();
    throw error;
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    port: server.port,
    async stop() {
      await server.stop();
      runner.close();
    },
  };
}

function readExchange(backend: Backend, request: IncomingMessage, body: Buffer): Exchange {
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const given = request.headers.authorization?.replace(/^Bearer /i, "") ?? url.searchParams.get("_token");
  if (given !== backend.token) return refuse(401, "WRONGPASS invalid or missing auth token");
  if (!/^(?:GET|HEAD|POST|PUT)$/.test(request.method ?? "")) return refuse(405, "ERR use GET, HEAD, POST or PUT");
  if ((request.headers["upstash-response-format"] ?? "json") !== "json") {
    return refuse(400, "ERR the local endpoint only answers in JSON");
  }
  const base64 = request.headers["upstash-encoding"] === "base64";

  if (url.pathname === "/pipeline" || url.pathname === "/multi-exec") {
    const commands = readCommands(body);
    if (commands === undefined) return refuse(400, "ERR the body must be a JSON array of commands, each a JSON array");
    const { runner } = backend;
    const run = () => (url.pathname === "/pipeline" ? runner.runAll(commands) : runner.runTransaction(commands));
    return {
      labels: commands.map(commandName),
      execute: () => answered(async () => ok((await run()).map((outcome) => outcomeBody(outcome, base64)))),
    };
  }

  const subscription = readSubscription(url);
  if (subscription !== undefined) {
    const open = () => subscribe(backend.redisUrl, backend.keyPrefix, subscription);
    return { labels: [subscription.kind], execute: () => answered(async () => ({ open: await open() })) };
  }

  const command = url.pathname === "/" ? readCommand(parseJson(body)) : pathCommand(url, body);
  if (command === undefined)
    return refuse(400, "ERR failed to parse command: send a JSON array, or the command as path");
  return {
    labels: [commandName(command)],
    execute: () =>
      answered(async () => {
        const [outcome = { error: "ERR no reply" }] = await backend.runner.runAll([command]);
        const json = outcomeBody(outcome, base64);
        return "error" in outcome ? { status: 400, json } : ok(json);
      }),
  };
}

function refuse(status: number, error: string): Exchange {
  return { labels: [], execute: async () => ({ status, json: { error } }) };
}

function ok(json: unknown): JsonAnswer {
  // The client sends the token back so that it reads its own writes from any replica; here there is one server.
  return { status: 200, json, headers: { "upstash-sync-token": "0" } };
}

async function answered<A extends JsonAnswer | StreamAnswer>(run: () => Promise<A>): Promise<A | JsonAnswer> {
  try {
    return await run();
  } catch (error) {
    return { status: 400, json: { error: (error as Error).message } };
  }
}

function outcomeBody(outcome: Outcome, base64: boolean): unknown {
  return "error" in outcome ? outcome : { result: encodeReply(outcome.reply, base64) };
}

function commandName([name = ""]: Command): string {
  return name.toString().toLowerCase();
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

/** A JSON array as a command; what is no string in it becomes one, as Upstash does it. */
function readCommand(input: unknown): Command | undefined {
  if (!Array.isArray(input) || input.length === 0) return undefined;
  return input.map((word: unknown) => {
    if (typeof word === "string") return word;
    return word === null ? "" : JSON.stringify(word);
  });
}

function readCommands(body: Buffer): Command[] | undefined {
  const input = parseJson(body);
  if (!Array.isArray(input)) return undefined;
  const commands = input.map(readCommand);
  return commands.every((command) => command !== undefined) ? commands : undefined;
}

/** `/set/key?EX=100` with a body: the path, then the body as it is, then the names and values of the query. */
function pathCommand(url: URL, body: Buffer): Command | undefined {
  const query = [...url.searchParams].filter(([name]) => name !== "_token").flat();
  const path = pathSegments(url);
  return path === undefined
    ? undefined
    : [...path, ...(body.length > 0 ? [body] : []), ...query.filter((word) => word !== "")];
}

function readSubscription(url: URL): Subscription | undefined {
  const [kind, ...names] = pathSegments(url) ?? [];
  if ((kind !== "subscribe" && kind !== "psubscribe") || names.length === 0) return undefined;
  return { kind, names };
}

function pathSegments(url: URL): string[] | undefined {
  try {
    return url.pathname.slice(1).split("/").map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
