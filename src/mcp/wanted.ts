import type { Wanted } from "../access/policy.ts";
import type { Scope } from "../identity/scopes.ts";
import { builtinToolNamed } from "../upstreams/catalog.ts";
import { exposedName, splitExposedName } from "../upstreams/tool-name.ts";
import type { Envelope } from "./envelope.ts";

const OF_SERVERS = /^(tools|prompts|resources|completion)\//;

/** What a request wants, for the rules of credentials. From the body alone; a tool has the name that `/mcp` shows. */
export async function wantedOf(envelope: Envelope, slug: string | null, address: string | null): Promise<Wanted> {
  const { method, target } = envelope;
  const isCall = method === "tools/call" && target !== null;
  const tool = isCall ? (slug === null ? target : await exposedName(slug, target)) : null;
  const server = slug ?? (tool === null || builtinToolNamed(tool) ? null : (splitExposedName(tool)?.slug ?? null));
  const beyondTools = OF_SERVERS.test(method) && !method.startsWith("tools/");
  return { address, scopes: requiredScopes(envelope, slug), server, tool, beyondTools };
}

/**
 * The scopes that a request needs. A built-in tool has its own; everything else that shows or does something needs
 * `mcp:tools`.
 */
export function requiredScopes({ method, target }: Envelope, slug: string | null): readonly Scope[] {
  if (!OF_SERVERS.test(method)) return [];
  if (slug === null && method.startsWith("resources/")) return ["mcp-registry:read"];
  const builtin = slug === null && method === "tools/call" && target !== null ? builtinToolNamed(target) : undefined;
  return builtin ? builtin.scopes : ["mcp:tools"];
}

/** Whether a request can do no harm and needs no store: it negotiates, or calls a built-in read-only tool. */
export function isHarmless({ method, target }: Envelope, slug: string | null): boolean {
  if (!OF_SERVERS.test(method)) return true;
  if (slug !== null || method !== "tools/call" || target === null) return false;
  return builtinToolNamed(target)?.definition().annotations?.readOnlyHint === true;
}

/** Whether messages can precede the result: upstreams report progress, the gateway itself does not. */
export const mayStream = ({ method, target }: Envelope, slug: string | null): boolean =>
  slug !== null || (method === "tools/call" && (target === null || !builtinToolNamed(target)));
