import { isSearchText } from "../../registry/reading/cursor.ts";
import type { ServerStatus } from "../../registry/reading/entry.ts";

/** The choices of a search filter, as `[value, label]`. The empty value means no filter. */
export const TRANSPORTS = [
  ["", "Any"],
  ["streamable-http", "Streamable HTTP"],
  ["sse", "SSE"],
  ["stdio", "stdio (runs on your machine)"],
] as const;

export const PACKAGES = [
  ["", "Any"],
  ["npm", "npm"],
  ["pypi", "PyPI"],
  ["oci", "Container image"],
  ["nuget", "NuGet"],
  ["mcpb", "MCP bundle"],
  ["cargo", "Cargo"],
] as const;

export const PUBLIC_STATUSES = [
  ["", "Active or deprecated"],
  ["active", "Active"],
  ["deprecated", "Deprecated"],
] as const;

/** With deleted servers, which only members of the organization can see. */
export const STATUSES = [...PUBLIC_STATUSES, ["deleted", "Deleted"]] as const;

export type Statuses = readonly (typeof STATUSES)[number][];

/** The entered values, to be shown again. */
export interface SearchEntries {
  q: string;
  transport: string;
  package: string;
  status: string;
}

export interface SearchWish {
  entries: SearchEntries;
  /** Undefined when nothing was entered: the page then lists all servers by name. */
  search:
    | {
        text: string;
        transport?: "streamable-http" | "sse" | "stdio";
        packageType?: "npm" | "pypi" | "oci" | "nuget" | "mcpb" | "cargo";
        status?: ServerStatus;
      }
    | undefined;
  cursor: string | undefined;
  problem: string | undefined;
}

/** Reads the query of a list. An unknown filter value is ignored. Text that cannot be searched for is a problem. */
export function readSearch(query: (name: string) => string | undefined, statuses: Statuses): SearchWish {
  const q = (query("q") ?? "").trim();
  const transport = chosen(TRANSPORTS, query("transport"));
  const packageType = chosen(PACKAGES, query("package"));
  const status = chosen(statuses, query("status"));
  const entries = { q, transport, package: packageType, status };
  const cursor = query("cursor");
  const problem = q === "" || isSearchText(q) ? undefined : "Enter at most 200 characters, on one line.";
  const isSearch = problem === undefined && Object.values(entries).some((value) => value !== "");
  const search = isSearch
    ? {
        text: q,
        ...(transport !== "" && { transport }),
        ...(packageType !== "" && { packageType }),
        ...(status !== "" && { status }),
      }
    : undefined;
  return { entries, search, cursor: cursor === "" ? undefined : cursor, problem };
}

const chosen = <Value extends string>(options: readonly (readonly [Value, string])[], given: string | undefined) =>
  options.find(([value]) => value === given)?.[0] ?? ("" as Value);
