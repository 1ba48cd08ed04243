import { resourceOf } from "../auth/resources.ts";
import { MINIMAL_SCOPES } from "../auth/scopes.ts";

/**
 * Protected resource metadata (RFC 9728 §2) of `/mcp` or `/mcp/{slug}`. `scopes_supported` is the minimal set, without
 * `offline_access` (MCP 2026-07-28, basic/authorization, scope selection): whether to issue refresh tokens is the issuer's business.
 */
export function protectedResource(origin: string, slug?: string): Record<string, unknown> {
  return {
    resource: resourceOf(origin, slug),
    authorization_servers: [origin],
    scopes_supported: MINIMAL_SCOPES,
    bearer_methods_supported: ["header"],
    resource_name: slug === undefined ? "MCP Registry Gateway" : `MCP Registry Gateway: ${slug}`,
  };
}
