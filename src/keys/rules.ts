import { KEY_SCOPES, type Scope } from "../identity/scopes.ts";
import { addressRange } from "../platform/ip.ts";
import type { KeyActor, KeyChange, KeyProblems, KeyQuota, KeyRate, KeyRefusal } from "./keys.ts";

/** The scopes of a new key when none are given. */
export const DEFAULT_KEY_SCOPES = ["mcp:tools", "mcp-registry:read"] as const satisfies readonly Scope[];

/** The most that a key can have, in entries, characters, days, calls per minute and calls. */
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
 * Checks the fields of a key. Returns a problem for each wrong field, or the fields as they are stored: names trimmed,
 * lists without duplicates. Pure; `now` is in epoch milliseconds.
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

/** Refuses scopes that the actor lacks; undefined when there are none. Postgres checks who is an administrator. */
export function beyondActor(
  { scopes: held }: Pick<KeyActor, "scopes">,
  scopes: readonly Scope[],
): KeyRefusal | undefined {
  const missing = scopes.filter((scope) => !held.has(scope));
  if (missing.length === 0) return undefined;
  return {
    state: "forbidden",
    problem: `A key cannot have scopes that you do not have. Leave out: ${missing.join(" ")}.`,
  };
}

/** The refusal for a restricted credential that would create or widen a key. */
export const RESTRICTED: KeyRefusal = {
  state: "forbidden",
  problem:
    "This credential is limited to some servers, tools or addresses, or by a rate or quota, so it cannot create or widen keys. Sign in, or use a credential without limits.",
};

/** The refusal for giving the scope `admin` without being an administrator. */
export const NOT_ADMINISTRATOR: KeyRefusal = {
  state: "forbidden",
  problem: "Only administrators of this gateway can give a key the scope admin, and only a key of their own.",
};

function nameProblem(name: string): string | undefined {
  const fits = name !== "" && name.length <= KEY_LIMITS.name && name.isWellFormed() && !/\p{Cc}/u.test(name);
  return fits ? undefined : `Give a name of 1 to ${KEY_LIMITS.name} characters, without control characters.`;
}

function scopesProblem(scopes: readonly Scope[]): string | undefined {
  if (scopes.length === 0) return "Give at least one scope. A key without scopes can do nothing.";
  const odd = scopes.find((scope) => !KEY_SCOPES.includes(scope));
  return odd && `${JSON.stringify(odd)} is not a scope that a key can have. Use: ${KEY_SCOPES.join(" ")}.`;
}

function expiryProblem(at: number, now: number): string | undefined {
  if (at > now && at <= now + KEY_LIMITS.days * DAY_MS) return undefined;
  return `Give a time in the future, at most ${KEY_LIMITS.days} days from now, or leave it out if the key is not to expire.`;
}

function serversProblem(servers: readonly string[]): string | undefined {
  if (servers.length === 0) return EMPTY;
  if (servers.length > KEY_LIMITS.servers) return `Give at most ${KEY_LIMITS.servers} servers.`;
  const odd = servers.find((slug) => !SLUG.test(slug));
  return odd === undefined
    ? undefined
    : `${quoted(odd)} is not a valid slug. Use up to 16 lowercase letters, digits or hyphens.`;
}

function toolsProblem(tools: readonly string[]): string | undefined {
  if (tools.length === 0) return EMPTY;
  if (tools.length > KEY_LIMITS.tools) return `Give at most ${KEY_LIMITS.tools} tools.`;
  const odd = tools.find((name) => !isToolName(name));
  return odd === undefined
    ? undefined
    : `${quoted(odd)} is not a valid tool name. Use 1 to ${KEY_LIMITS.toolName} characters, without control characters.`;
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

/** Removes duplicates. Two spellings of one range are the same entry. */
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
  return `Give whole numbers from 1 to ${KEY_LIMITS.perMinute} for the calls per minute and for the burst.`;
}

function quotaProblem({ max, period }: KeyQuota): string | undefined {
  if (isWithin(max, KEY_LIMITS.quota) && ["month", "total"].includes(period)) return undefined;
  return `Give a whole number of calls from 1 to ${KEY_LIMITS.quota}, per month or in total.`;
}

const isWithin = (value: number, max: number) => Number.isSafeInteger(value) && value >= 1 && value <= max;
const quoted = (text: string) => JSON.stringify(text.slice(0, 60));
