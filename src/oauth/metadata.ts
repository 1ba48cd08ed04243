import { DPOP_ALGORITHMS } from "../grants/dpop.ts";
import { resourceOf } from "../identity/resources.ts";
import { MINIMAL_SCOPES } from "../identity/scopes.ts";

/**
 * Protected resource metadata (RFC 9728 §2) of `/mcp` or `/mcp/{slug}`. `scopes_supported` is the minimal set, without
 * `offline_access` (MCP 2026-07-28, basic/authorization, scope selection): the issuer decides about refresh tokens.
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
 * The metadata of the authorization server (RFC 8414, OpenID Connect Discovery) as the framework writes it, with
 * corrections. Public clients exist, and revoke their tokens, even where unauthenticated callers cannot register. No
 * client can register for logout by a client or over the back channel. There is no account selection, because a browser
 * has one account. `admin` is not announced: clients that ask for all that is would ask every person for it.
 */
export function correctedMetadata(document: string): string {
  const { end_session_endpoint: _unused, ...metadata } = JSON.parse(document) as Record<string, unknown>;
  const scopes = metadata["scopes_supported"] as string[] | undefined;
  const prompts = metadata["prompt_values_supported"] as string[] | undefined;
  const withPublic = (name: string) => [...new Set(["none", ...((metadata[name] as string[] | undefined) ?? [])])];
  return JSON.stringify({
    ...metadata,
    token_endpoint_auth_methods_supported: withPublic("token_endpoint_auth_methods_supported"),
    revocation_endpoint_auth_methods_supported: withPublic("revocation_endpoint_auth_methods_supported"),
    ...(scopes && { scopes_supported: scopes.filter((scope) => scope !== "admin") }),
    ...(prompts && { prompt_values_supported: prompts.filter((prompt) => prompt !== "select_account") }),
    backchannel_logout_supported: false,
    backchannel_logout_session_supported: false,
  });
}
