import type { ServerDefinition } from "../definition/definition.ts";
import type { RegistryEntry, ServerStatus } from "./entry.ts";

/**
 * The key of what this registry states about a version; the OpenAPI document (2025-12-01) allows no further field in
 * it.
 */
export const OFFICIAL_META = "io.modelcontextprotocol.registry/official";

/** `ServerResponse` of the MCP Registry API (v0.1). */
export interface ServerAnswer {
  server: ServerDefinition;
  _meta: {
    [OFFICIAL_META]: {
      status: ServerStatus;
      statusChangedAt: string;
      statusMessage?: string;
      publishedAt: string;
      updatedAt: string;
      isLatest: boolean;
    };
  };
}

/** `ServerList` of the MCP Registry API (v0.1); no `nextCursor` on the last page. */
export interface ListAnswer {
  servers: ServerAnswer[];
  metadata: { count: number; nextCursor?: string };
}

/** A version as the API answers it; `origin` is where this gateway is. */
export const answerOf = (entry: RegistryEntry, origin: string): ServerAnswer => ({
  server: throughGateway(entry, origin),
  _meta: {
    [OFFICIAL_META]: {
      status: entry.status,
      statusChangedAt: entry.statusChangedAt.toISOString(),
      ...(entry.statusMessage !== null && { statusMessage: entry.statusMessage }),
      publishedAt: entry.publishedAt.toISOString(),
      updatedAt: entry.updatedAt.toISOString(),
      isLatest: entry.isLatest,
    },
  },
});

export const listAnswerOf = (
  entries: readonly RegistryEntry[],
  nextCursor: string | null,
  origin: string,
): ListAnswer => ({
  servers: entries.map((entry) => answerOf(entry, origin)),
  metadata: { count: entries.length, ...(nextCursor !== null && { nextCursor }) },
});

/**
 * An entry that points to an upstream has only the gateway's address: no packages, no remotes of its own, and no
 * headers, because clients sign in (Copilot refuses an installed server to which a header was added).
 */
function throughGateway({ definition, gatewaySlug }: RegistryEntry, origin: string): ServerDefinition {
  if (gatewaySlug === null) return definition;
  const { packages: _left, ...rest } = definition;
  return { ...rest, remotes: [{ type: "streamable-http", url: `${origin}/mcp/${gatewaySlug}` }] };
}
