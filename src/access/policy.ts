import { missingScopes, type Principal } from "./principal.ts";
import { canonicalAddress } from "../platform/ip.ts";
import type { Scope } from "../identity/scopes.ts";
import type { CredentialRecord } from "./record.ts";
import type { AccessRefusal } from "./refusal.ts";

/** What a caller wants to do, as far as the rules of credentials need to know. */
export interface Wanted {
  /** The IP address that the request comes from. */
  address: string | null;
  scopes: readonly Scope[];
  /** The slug of the upstream; null when the call is to no upstream, or to the gateway itself. */
  server: string | null;
  /** The tool, by the name that `/mcp` shows; null when it is not a tool call. */
  tool: string | null;
  /** Whether the call is about something of upstreams other than tools: prompts, resources, completion. */
  beyondTools: boolean;
}

/**
 * Why a credential's record does not allow a call; undefined when it does (pure). The record may be outdated: admission
 * confirms it before the decision counts. `now` is in milliseconds.
 */
export function refusalOf(
  record: CredentialRecord,
  principal: Principal,
  wanted: Wanted,
  now: number,
): AccessRefusal | undefined {
  const presented = record.kind === "api_key" ? "api_key" : "access_token";
  const refuse = (reason: string): AccessRefusal => ({ kind: "invalid_credential", presented, reason });
  if (!record.works) return refuse(`${record.kind} ${record.id} is disabled or its owner may not use it`);
  if (record.expiresAt !== null && now >= record.expiresAt) return refuse(`key ${record.id} has expired`);
  if (record.disabledUntil !== null && now < record.disabledUntil) return refuse(`key ${record.id} is locked`);
  if (!isFrom(record, wanted.address)) return { kind: "address_not_allowed" };
  if (missingScopes(principal, wanted.scopes).length > 0)
    return { kind: "insufficient_scope", required: wanted.scopes };
  if (wanted.scopes.includes("admin") && !record.isAdministrator) return { kind: "not_administrator" };
  if (!allows(record, wanted)) return { kind: "not_on_list" };
  return undefined;
}

function isFrom({ addresses }: CredentialRecord, address: string | null): boolean {
  if (addresses === null) return true;
  const canonical = address === null ? undefined : canonicalAddress(address);
  return canonical !== undefined && addresses.some(([first, last]) => first <= canonical && canonical <= last);
}

function allows({ servers, tools }: CredentialRecord, { server, tool, beyondTools }: Wanted): boolean {
  if (server !== null && servers !== null && !servers.includes(server)) return false;
  return tools === null || (!beyondTools && (tool === null || tools.includes(tool)));
}

/** Whether a credential may use an upstream, by its list of servers. */
export const mayUseServer = ({ servers }: Pick<Principal, "servers">, slug: string) =>
  servers === null || servers.includes(slug);

/** Whether a credential may use a tool, by its list of tools and the name that `/mcp` shows. */
export const mayUseTool = ({ tools }: Pick<Principal, "tools">, name: string) => tools === null || tools.includes(name);
