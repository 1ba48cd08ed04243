import { isSearchText } from "../../registry/reading/cursor.ts";
import type { ServerStatus } from "../../registry/reading/entry.ts";

/** What can be chosen in a search, as `[value, label]`; the empty value is no filter. */
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

/** What is deleted is shown to its tenant only. */
export const STATUSES = [...PUBLIC_STATUSES, ["deleted", "Deleted"]] as const;

export type Statuses = readonly (typeof STATUSES)[number][];

/** What was entered, in a form in which the page can show it again. */
export interface SearchEntries {
  q: string;
  transport: string;
  package: string;
  status: string;
}

export interface SearchWish {
  entries: SearchEntries;
  /** Undefined: nothing is searched for, and the list is by name. */
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

/** Reads the query of a list. A filter that does not exist is as none; text that no search could be for is a problem. */
export function readSearch(query: (name: string) => string | undefined, statuses: Statuses): SearchWish {
  const q = (query("q") ?? "").trim();
  const transport = chosen(TRANSPORTS, query("transport"));
  const packageType = chosen(PACKAGES, query("package"));
  const status = chosen(statuses, query("status"));
  const entries = { q, transport, package: packageType, status };
  const cursor = query("cursor");
  const problem = q === "" || isSearchText(q) ? undefined : "Search for at most 200 characters, on one line.";
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
