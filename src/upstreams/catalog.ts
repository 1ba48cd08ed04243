import type { Tool } from "@modelcontextprotocol/server";
import type { BuiltinTool } from "./builtin/tool.ts";
import { BUILTIN_TOOLS } from "./builtin/tools.ts";
import type { ConnectUpstream, UpstreamCaller, UpstreamConnection } from "./client.ts";
import type { Upstream, UpstreamDirectory } from "./servers.ts";
import { exposedName, splitExposedName } from "./tool-name.ts";

const BUILTIN: ReadonlyMap<string, BuiltinTool> = new Map(BUILTIN_TOOLS.map((tool) => [tool.name, tool]));

/** The platform allows one Worker request at most six concurrent subrequests. */
const CONCURRENCY = 6;
const MAX_PAGES = 20;

export interface CatalogDeps {
  directory: UpstreamDirectory;
  connect: ConnectUpstream;
}

/** The catalog as of an epoch of the tenant. Lists that an isolate cached at another epoch are read again. */
export const atEpoch = ({ directory, connect }: CatalogDeps, epoch: number): CatalogDeps => ({
  connect,
  directory: { enabled: (tenantId) => directory.enabled(tenantId, epoch) },
});

/** What a tool name on `/mcp` refers to. */
export type ToolTarget =
  | { kind: "builtin"; tool: BuiltinTool }
  | { kind: "upstream"; upstream: Upstream; tool: string };

export const builtinToolNamed = (name: string): BuiltinTool | undefined => BUILTIN.get(name);

/** The tenant's enabled upstream with that slug. A slug of another tenant is undefined, too. */
export async function upstreamBySlug(deps: CatalogDeps, tenantId: string, slug: string): Promise<Upstream | undefined> {
  return (await deps.directory.enabled(tenantId)).find((upstream) => upstream.slug === slug);
}

/**
 * Resolves a tool name of the aggregated endpoint; null when the tenant has no such tool. Built-in names need no I/O.
 */
export async function resolveTool(
  deps: CatalogDeps,
  tenantId: string,
  name: string,
  caller: UpstreamCaller,
): Promise<ToolTarget | null> {
  const builtin = BUILTIN.get(name);
  if (builtin) return { kind: "builtin", tool: builtin };
  const split = splitExposedName(name);
  if (split === null) return null;
  const upstream = await upstreamBySlug(deps, tenantId, split.slug);
  if (!upstream) return null;
  if (!split.mayBeHashed) return { kind: "upstream", upstream, tool: split.rest };
  const tools = await upstreamTools(deps, upstream, caller);
  for (const tool of tools) {
    if ((await exposedName(upstream.slug, tool.name)) === name) return { kind: "upstream", upstream, tool: tool.name };
  }
  return null;
}

/**
 * The built-in tools and those of every enabled upstream of the tenant, with their prefix. Sorted by name, so that an
 * unchanged list is identical each time. An upstream that does not answer is named in `unavailable`; the others are
 * listed all the same.
 */
export async function listTools(
  deps: CatalogDeps,
  tenantId: string,
  caller: UpstreamCaller,
  isWanted: (slug: string) => boolean = () => true,
): Promise<{ tools: Tool[]; unavailable: string[] }> {
  const upstreams = (await deps.directory.enabled(tenantId)).filter(({ slug }) => isWanted(slug));
  const tools = [...BUILTIN.values()].map((tool) => tool.definition());
  const unavailable: string[] = [];
  await inParallel(upstreams, CONCURRENCY, async (upstream) => {
    try {
      const listed = await upstreamTools(deps, upstream, caller);
      tools.push(
        ...(await Promise.all(
          listed.map(async (tool) => ({ ...tool, name: await exposedName(upstream.slug, tool.name) })),
        )),
      );
    } catch {
      unavailable.push(upstream.slug);
    }
  });
  return { tools: tools.toSorted((a, b) => (a.name < b.name ? -1 : 1)), unavailable: unavailable.toSorted() };
}

async function upstreamTools({ connect }: CatalogDeps, upstream: Upstream, caller: UpstreamCaller): Promise<Tool[]> {
  const connection = await connect(upstream, caller);
  try {
    return await allPages(connection);
  } finally {
    await connection.close();
  }
}

async function allPages(connection: UpstreamConnection): Promise<Tool[]> {
  const tools: Tool[] = [];
  let cursor: unknown;
  for (let page = 0; page < MAX_PAGES; page++) {
    const result = await connection.request("tools/list", cursor === undefined ? {} : { cursor });
    if (Array.isArray(result["tools"])) tools.push(...result["tools"].filter(isTool));
    cursor = result["nextCursor"];
    if (typeof cursor !== "string") break;
  }
  return tools;
}

/**
 * Whether an entry is a well-formed tool. Others are left out, because clients refuse a whole list for one malformed
 * entry.
 */
function isTool(entry: unknown): entry is Tool {
  const { name, inputSchema } = (entry ?? {}) as { name?: unknown; inputSchema?: { type?: unknown } | null };
  return typeof name === "string" && /^[A-Za-z0-9_.-]{1,128}$/.test(name) && inputSchema?.type === "object";
}

async function inParallel<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}
