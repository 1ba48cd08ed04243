import type { Tool } from "@modelcontextprotocol/server";
import type { CatalogDeps } from "../../../src/upstreams/catalog.ts";
import type { UpstreamCaller, UpstreamConnection } from "../../../src/upstreams/client.ts";
import type { Upstream } from "../../../src/upstreams/servers.ts";

export const CALLER: UpstreamCaller = { userId: "user-1", capabilities: {}, paramHeaders: {} };

export const upstream = (slug: string): Upstream => ({
  id: `id-${slug}`,
  slug,
  name: slug,
  description: "",
  url: `https://${slug}.example.com/mcp`,
});

export const tool = (name: string): Tool => ({ name, inputSchema: { type: "object" } });

/** A page of an upstream's `tools/list`. */
export interface Page {
  tools: readonly Tool[];
  nextCursor?: string;
}

type Answer = (cursor: string | undefined) => Page | Promise<Page>;

/** Upstreams of tenant-1, each with what it answers, and a record of how they were used. */
export function fakeUpstreams(answers: Readonly<Record<string, Answer>>) {
  const used = {
    tenants: [] as string[],
    connected: [] as { slug: string; caller: UpstreamCaller }[],
    requests: [] as { slug: string; method: string; params: Record<string, unknown> }[],
    open: 0,
    mostOpen: 0,
  };
  const deps: CatalogDeps = {
    directory: {
      enabled: async (tenantId) => {
        used.tenants.push(tenantId);
        return tenantId === "tenant-1" ? Object.keys(answers).map(upstream) : [];
      },
    },
    connect: async ({ slug }, caller) => {
      used.connected.push({ slug, caller });
      used.open += 1;
      used.mostOpen = Math.max(used.mostOpen, used.open);
      const connection: UpstreamConnection = {
        capabilities: { tools: {} },
        instructions: undefined,
        onLog: () => {},
        request: async (method, params) => {
          used.requests.push({ slug, method, params });
          return { ...(await answers[slug]?.(params["cursor"] as string | undefined)) };
        },
        close: async () => {
          used.open -= 1;
        },
      };
      return connection;
    },
  };
  return { deps, used };
}
