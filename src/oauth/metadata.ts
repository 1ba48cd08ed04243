import { DPOP_ALGORITHMS } from "../auth/dpop.ts";
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
    dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
    resource_name: slug === undefined ? "MCP Registry Gateway" : `MCP Registry Gateway: ${slug}`,
  };
}

/**
 * The metadata of the authorization server (RFC 8414, OpenID Connect Discovery) as the framework writes it, corrected where it cannot know:
 * public clients exist even where strangers cannot register, and revoke their tokens; nobody can register for back-channel logout.
 */
export function correctedMetadata(document: string): string {
  const metadata = JSON.parse(document) as Record<string, unknown>;
  const withPublic = (name: string) => [...new Set(["none", ...((metadata[name] as string[] | undefined) ?? [])])];
  return JSON.stringify({
    ...metadata,
    token_endpoint_auth_methods_supported: withPublic("token_endpoint_auth_methods_supported"),
    revocation_endpoint_auth_methods_supported: withPublic("revocation_endpoint_auth_methods_supported"),
    backchannel_logout_supported: false,
    backchannel_logout_session_supported: false,
  });
}
