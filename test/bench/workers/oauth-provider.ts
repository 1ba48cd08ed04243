// Cloudflare's OAuth provider, with tokens in KV. No limits, no audit. Whoever asks for authorization gets it.
import { OAuthProvider, type OAuthHelpers } from "@cloudflare/workers-oauth-provider";
import { env } from "cloudflare:workers";
import { echo } from "./echo.ts";

interface Settings {
  BASE_URL: string;
  OAUTH_PROVIDER: OAuthHelpers;
}

const { BASE_URL } = env as unknown as Settings;

export default new OAuthProvider<Settings>({
  apiRoute: "/mcp",
  apiHandler: { fetch: (request: Request) => echo.fetch(request) },
  defaultHandler: {
    async fetch(request: Request, { OAUTH_PROVIDER: oauth }: Settings): Promise<Response> {
      const asked = await oauth.parseAuthRequest(request);
      const { redirectTo } = await oauth.completeAuthorization({
        request: asked,
        userId: crypto.randomUUID(),
        metadata: {},
        scope: asked.scope,
        props: { tenant: "bench" },
        revokeExistingGrants: false,
      });
      return Response.redirect(redirectTo, 302);
    },
  },
  authorizeEndpoint: "/authorize",
  tokenEndpoint: "/token",
  clientRegistrationEndpoint: "/register",
  scopesSupported: ["mcp:tools"],
  resourceMetadata: { resource: `${BASE_URL}/mcp`, authorization_servers: [BASE_URL] },
});
