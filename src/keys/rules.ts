import { KEY_SCOPES, type Scope } from "../identity/scopes.ts";
import { addressRange } from "../platform/ip.ts";
import type { KeyActor, KeyChange, KeyProblems, KeyQuota, KeyRate, KeyRefusal } from "./keys.ts";

/** Scopes of a key whose maker does not say which. */
export const DEFAULT_KEY_SCOPES = ["mcp:tools", "mcp-registry:read"] as const satisfies readonly Scope[];

/** What a key can have at most, in entries, characters, days, calls a minute and calls. */
export const KEY_LIMITS = {
  name: 100,
  days: 365,
  servers: 50,
  tools: 200,
  toolName: 128,
  addresses: 100,
  perMinute: 100_000,
  quota: 1e12,
  /** Keys of one owner that are neither revoked nor expired. */
  live: 200,
} as const;

const DAY_MS = 86_400_000;
const SLUG = /^[a-z0-9-]{1,16}$/;
const EMPTY = "An empty list would allow nothing. Leave it out, or send null, to allow everything.";

/**
 * What is wrong with the fields of a key, each in its own sentence, or the fields as they are kept: names trimmed, entries of lists once.
 * Pure; `now` is epoch milliseconds.
 */
export function checkKeyFields<Fields extends KeyChange>(
  fields: Fields,
  now: number,
): { fields: Fields } | { problems: KeyProblems } {
  const { name, scopes, expiresAt, servers, tools, addresses, rate, quota } = fields;
  const problems = Object.entries({
    name: name === undefined ? undefined : nameProblem(name.trim()),
    scopes: scopes && scopesProblem(scopes),
    expiresAt: expiresAt ? expiryProblem(expiresAt.getTime(), now) : undefined,
    servers: servers ? serversProblem(servers) : undefined,
    tools: tools ? toolsProblem(tools) : undefined,
    addresses: addresses ? addressesProblem(addresses) : undefined,
    rate: rate ? rateProblem(rate) : undefined,
    quota: quota ? quotaProblem(quota) : undefined,
  }).filter(([, problem]) => problem !== undefined);
  if (problems.length > 0) return { problems: Object.fromEntries(problems) };
  return {
    fields: {
      ...fields,
      ...(name !== undefined && { name: name.trim() }),
      ...(scopes && { scopes: [...new Set(scopes)] }),
      ...(servers && { servers: [...new Set(servers)] }),
      ...(tools && { tools: [...new Set(tools)] }),
      ...(addresses && { addresses: onceEach(addresses) }),
    },
  };
}

/** Why this actor may not give a key these scopes; undefined when they may. Whether they administer the gateway is Postgres' to say. */
export function beyondActor(
  { scopes: held }: Pick<KeyActor, "scopes">,
  scopes: readonly Scope[],
): KeyRefusal | undefined {
  const missing = scopes.filter((scope) => !held.has(scope));
  if (missing.length === 0) return undefined;
  return {
    state: "forbidden",
    problem: `A key can do no more than whoever makes it: you do not have the scope ${missing.join(" ")} here.`,
  };
}

/** What a credential that is held to less than its scopes is told when it would make one that is not. */
export const RESTRICTED: KeyRefusal = {
  state: "forbidden",
  problem:
    "This credential is limited to some servers, tools or addresses, or by a quota: it makes and widens no keys. Sign in, or use one without limits.",
};

/** What those are told who would hand out the scope `admin` without being an administrator. */
export const NOT_ADMINISTRATOR: KeyRefusal = {
  state: "forbidden",
  problem: "Only administrators of this gateway give keys the scope admin, and only to keys of their own.",
};

function nameProblem(name: string): string | undefined {
  const fits = name !== "" && name.length <= KEY_LIMITS.name && name.isWellFormed() && !/\p{Cc}/u.test(name);
  return fits ? undefined : `Give a name of 1 to ${KEY_LIMITS.name} characters, without control characters.`;
}

function scopesProblem(scopes: readonly Scope[]): string | undefined {
  if (scopes.length === 0) return "Give at least one scope: a key without any can do nothing.";
  const odd = scopes.find((scope) => !KEY_SCOPES.includes(scope));
  return odd && `${JSON.stringify(odd)} is no scope of a key. There are: ${KEY_SCOPES.join(" ")}.`;
}

function expiryProblem(at: number, now: number): string | undefined {
  if (at > now && at <= now + KEY_LIMITS.days * DAY_MS) return undefined;
  return `Give a time in the future, at most ${KEY_LIMITS.days} days from now, or none for a key that does not expire.`;
}

function serversProblem(servers: readonly string[]): string | undefined {
  if (servers.length === 0) return EMPTY;
  if (servers.length > KEY_LIMITS.servers) return `Give at most ${KEY_LIMITS.servers} servers.`;
  const odd = servers.find((slug) => !SLUG.test(slug));
  return odd === undefined ? undefined : `${quoted(odd)} is no slug of a server: a-z, 0-9 and -, at most 16.`;
}

function toolsProblem(tools: readonly string[]): string | undefined {
  if (tools.length === 0) return EMPTY;
  if (tools.length > KEY_LIMITS.tools) return `Give at most ${KEY_LIMITS.tools} tools.`;
  const odd = tools.find((name) => !isToolName(name));
  return odd === undefined ? undefined : `${quoted(odd)} is no name of a tool: 1 to ${KEY_LIMITS.toolName} characters.`;
}

const isToolName = (name: string) =>
  name !== "" && name.length <= KEY_LIMITS.toolName && name.isWellFormed() && !/\p{Cc}/u.test(name);

function addressesProblem(addresses: readonly string[]): string | undefined {
  if (addresses.length === 0) return EMPTY;
  if (addresses.length > KEY_LIMITS.addresses) return `Give at most ${KEY_LIMITS.addresses} addresses.`;
  const odd = addresses.find((entry) => addressRange(entry) === undefined);
  if (odd === undefined) return undefined;
  return `${quoted(odd)} is neither an IP address nor a block like 192.0.2.0/24 or 2001:db8::/32 with no bits set after the prefix.`;
}

/** Two spellings of one range are one entry. */
function onceEach(addresses: readonly string[]): string[] {
  const ranges = new Map<string, string>();
  for (const entry of addresses.map((text) => text.trim().toLowerCase())) {
    const range = String(addressRange(entry));
    if (!ranges.has(range)) ranges.set(range, entry);
  }
  return [...ranges.values()];
}

function rateProblem({ perMinute, burst }: KeyRate): string | undefined {
  if (isWithin(perMinute, KEY_LIMITS.perMinute) && isWithin(burst, KEY_LIMITS.perMinute)) return undefined;
  return `Give whole numbers from 1 to ${KEY_LIMITS.perMinute} for the calls per minute and for how many may come at once.`;
}

function quotaProblem({ max, period }: KeyQuota): string | undefined {
  if (isWithin(max, KEY_LIMITS.quota) && ["month", "total"].includes(period)) return undefined;
  return `Give a whole number of calls from 1 to ${KEY_LIMITS.quota}, in a month or in total.`;
}

const isWithin = (value: number, max: number) => Number.isSafeInteger(value) && value >= 1 && value <= max;
const quoted = (text: string) => JSON.stringify(text.slice(0, 60));
