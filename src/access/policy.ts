import { missingScopes, type Principal } from "./principal.ts";
import { canonicalAddress } from "../platform/ip.ts";
import type { Scope } from "../identity/scopes.ts";
import type { CredentialRecord } from "./record.ts";
import type { AccessRefusal } from "./refusal.ts";

/** What a caller wants to do, as far as rules about credentials go. */
export interface Wanted {
  /** Where the request comes from. */
  address: string | null;
  scopes: readonly Scope[];
  /** The upstream server that is meant, by slug; null: none, or the gateway itself. */
  server: string | null;
  /** The tool, by the name that `/mcp` shows; null: not a tool call. */
  tool: string | null;
  /** Whether what is wanted is something of servers that is no tool: prompts, resources, completion. */
  beyondTools: boolean;
}

/** Whether a credential's record allows a call (pure). The record may be old: admission confirms it before the answer counts. `now` is in milliseconds. */
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

/** Whether a credential's list has an upstream server. */
export const mayUseServer = ({ servers }: Pick<Principal, "servers">, slug: string) =>
  servers === null || servers.includes(slug);

/** Whether a credential's list has a tool, by the name that `/mcp` shows. */
export const mayUseTool = ({ tools }: Pick<Principal, "tools">, name: string) => tools === null || tools.includes(name);
