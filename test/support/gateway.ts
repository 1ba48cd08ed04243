// What the worker stories share: requests to the Worker, people and keys to make them with, and the local stack's counters.
import { env, exports } from "cloudflare:workers";
import { vi } from "vitest";
import { auditShardOf } from "../../src/access/admission/admission.ts";
import { user as userTable, apikey } from "../../src/identity/schema.ts";
import type * as mainModule from "./worker.ts";
import { scopesToPermissions, type Scope } from "../../src/identity/scopes.ts";
import { ensurePersonalTenant } from "../../src/auth/account/arrival.ts";
import { personalTenantId } from "../../src/identity/standing.ts";
import { generateApiKey, KEY_START_LENGTH } from "../../src/keys/token.ts";
import { parseConfig } from "../../src/platform/config.ts";
import { sha256 } from "../../src/platform/crypto.ts";
import { connectDatabases } from "../../src/platform/postgres/db.ts";
import { connectRedis, redisKeys } from "../../src/platform/redis/redis.ts";
import { upstreamServer } from "../../src/upstreams/schema.ts";
import { expectDeclared } from "./declared.ts";
import { backgroundSettled, hurry } from "./worker.ts";

declare global {
  namespace Cloudflare {
    interface GlobalProps {
      mainModule: typeof mainModule;
    }
  }
}

const parsed = parseConfig(env);
if ("problems" in parsed) throw new Error(`test settings are wrong: ${JSON.stringify(parsed.problems)}`);

export const config = parsed.config;
export const origin = config.BASE_URL;
export const db = connectDatabases(config).write;

const controls = (env as unknown as { TEST_CONTROLS: string }).TEST_CONTROLS;

/** Sends a request to the Worker, from an address of its own unless the test gives one: no test meets another's limits. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (!headers.has("cf-connecting-ip")) headers.set("cf-connecting-ip", randomAddress());
  const sent = new Request(`${origin}${path}`, { redirect: "manual", ...init, headers });
  const answer = await exports.default.fetch(sent);
  await expectDeclared({ method: sent.method, path }, answer);
  return answer;
}

function randomAddress(): string {
  const [a, b, c] = crypto.getRandomValues(new Uint8Array(3));
  return `10.${a}.${b}.${c}`;
}

export interface RpcOptions {
  path?: string;
  headers?: Record<string, string>;
  key?: string;
  token?: string;
  body?: BodyInit;
}

/** One JSON-RPC request of the 2025-11-25 generation, whose answer may come as one server-sent event. */
export async function rpc(
  method: string,
  params: Record<string, unknown> = {},
  options: RpcOptions = {},
): Promise<RpcAnswer> {
  const response = await request(options.path ?? "/mcp", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(options.key === undefined ? {} : { "x-api-key": options.key }),
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...options.headers,
    },
    body: options.body ?? JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const text = await response.text();
  const data = /^data: (.*)$/m.exec(text)?.[1] ?? text;
  return { response, status: response.status, ...(data === "" ? {} : (JSON.parse(data) as RpcMessage)) };
}

interface RpcMessage {
  id?: number | string | null;
  result?: Record<string, unknown> & {
    isError?: boolean;
    structuredContent?: Record<string, unknown>;
    tools?: { name: string }[];
  };
  error?: { code: number; message: string; data?: Record<string, unknown> };
}

export interface RpcAnswer extends RpcMessage {
  response: Response;
  status: number;
}

export const callTool = (name: string, args: Record<string, unknown>, options: RpcOptions = {}) =>
  rpc("tools/call", { name, arguments: args }, options);

/** A verified user with a personal tenant; everything a test makes is its own. */
export async function newUser(): Promise<{ id: string; email: string; tenantId: string }> {
  const id = `test-${crypto.randomUUID()}`;
  const email = `${id}@example.com`;
  await db.insert(userTable).values({ id, name: "Test user", email, emailVerified: true });
  return { id, email, tenantId: await ensurePersonalTenant(db, id, []) };
}

/** An API key of a new user, or of the one given. */
export async function newKey(
  options: { userId?: string; scopes?: readonly Scope[]; enabled?: boolean; expiresAt?: Date } = {},
): Promise<{ key: string; id: string; userId: string }> {
  const userId = options.userId ?? (await newUser()).id;
  const key = generateApiKey("test");
  const id = crypto.randomUUID();
  const now = new Date();
  await db.insert(apikey).values({
    id,
    name: "Test key",
    referenceId: userId,
    key: await sha256(key),
    start: key.slice(0, KEY_START_LENGTH),
    enabled: options.enabled ?? true,
    rateLimitEnabled: false,
    requestCount: 0,
    expiresAt: options.expiresAt ?? null,
    permissions: JSON.stringify(
      scopesToPermissions(options.scopes ?? ["mcp:tools", "mcp-registry:read", "audit:read"]),
    ),
    createdAt: now,
    updatedAt: now,
  });
  return { key, id, userId };
}

export interface Stats {
  sqlRequests: number;
  redisRequests: number;
  log: { to: "neon" | "upstash"; what: string[] }[];
}

export const stats = async (): Promise<Stats> => (await fetch(`${controls}/stats`)).json();

/** Counts from now on, and nothing of what the requests before still do after their answers. */
export const resetStats = async (): Promise<void> => {
  await backgroundSettled();
  await fetch(`${controls}/stats/reset`, { method: "POST" });
};

/** Lets Postgres or Redis fail while the work runs; see the local stack's controls for the modes. Afterwards the Worker trusts Redis again. */
export async function withFault<T>(fault: Record<string, unknown>, work: () => Promise<T>): Promise<T> {
  // Which request is the nth must not hang on what is still being written down.
  if (JSON.stringify(fault).includes('"nth"')) await backgroundSettled();
  const answer = await fetch(`${controls}/faults`, { method: "POST", body: JSON.stringify(fault) });
  if (!answer.ok) throw new Error(await answer.text());
  try {
    return await work();
  } finally {
    await fetch(`${controls}/faults`, { method: "DELETE" });
    if ("upstash" in fault) await closeBreaker();
  }
}

/** As if the time for which the Worker gives Redis up had passed: the question whether it is ready is the probe that finds Redis well. */
async function closeBreaker(): Promise<void> {
  const shifted = vi.getMockedSystemTime();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 11_000 });
  try {
    await request("/readyz");
  } finally {
    vi.useRealTimers();
    if (shifted !== null) vi.useFakeTimers({ toFake: ["Date"], now: shifted });
  }
}

export interface Mail {
  to: string;
  subject: string;
  links: string[];
}

export const mailsTo = async (address: string): Promise<Mail[]> => {
  const mails = await (await fetch(`${controls}/mailbox`)).json<Mail[]>();
  return mails.filter(({ to }) => to === address);
};

/** A busy machine is slow; waiting longer costs a good run nothing. */
const WAIT_MS = 60_000;

/** Asks again until the answer is there: what happens after a response has no other event to await. */
export async function eventually<T>(question: () => Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const answer = await question();
    if (answer !== undefined) return answer;
    hurry();
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (Date.now() > deadline) throw new Error("it did not happen within a minute");
  }
}

const [everything = "", notes = "", down = ""] = config.OUTBOUND_ALLOW.map((host) => `http://${host}/mcp`);

/** Upstream servers of the local stack, one that is down, and one whose address is not public. */
export const upstreams = { everything, notes, down, private: "https://10.0.0.7/mcp" };

/** Puts an upstream behind the gateway for a tenant. */
export async function addUpstream(tenantId: string, slug: string, url: string, enabled = true): Promise<void> {
  await db.insert(upstreamServer).values({ id: crypto.randomUUID(), tenantId, slug, name: slug, url, enabled });
}

const READ = "#!lua flags=allow-key-locking\nreturn redis.call('XRANGE', KEYS[1], '-', '+')";

/** One entry of an audit stream. */
export interface StreamEntry {
  id: string;
  /** `i`: what was about to happen; `o`: what came of it. */
  kind: string;
  row: Record<string, unknown>;
}

/** What the audit stream of a person's own tenant holds. */
export async function auditStream(userId: string): Promise<StreamEntry[]> {
  const stream = redisKeys.auditStream(auditShardOf(personalTenantId(userId)));
  const entries = await connectRedis(config).eval<[], [string, [string, string]][]>(READ, [stream], []);
  return entries.flatMap(([id, [kind, text]]) => {
    const row = rowOf(text);
    return row === undefined ? [] : [{ id, kind, row }];
  });
}

/** Other stories leave entries that nobody can read. */
function rowOf(text: string): Record<string, unknown> | undefined {
  try {
    const row: unknown = JSON.parse(text);
    return typeof row === "object" && row !== null ? (row as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
