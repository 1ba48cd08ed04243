import { getOAuthProviderApi } from "@better-auth/oauth-provider";
import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthEndpoint } from "better-auth/api";
import * as z from "zod";
import { AUTHENTICATE_CLIENT_PATH, type AuthenticatedClient } from "../../grants/clients/authenticated-client.ts";
import { managedRegistration } from "../../grants/clients/managed-client.ts";

/** The audience of assertions (RFC 7523 §3) for all our endpoints; the issuer is accepted as well. */
const ASSERTION_ENDPOINT = "/oauth2/token";

/**
 * Lets our endpoints use the framework's client authentication by secret or assertion, under its limits. Returns the
 * client that a form is from. Public clients cannot authenticate and are refused.
 */
export function clientAuthentication(limit: { window: number; max: number }): BetterAuthPlugin {
  return {
    id: "client-authentication",
    endpoints: {
      authenticateClient: createAuthEndpoint(
        AUTHENTICATE_CLIENT_PATH,
        {
          method: "POST",
          cloneRequest: true,
          body: z.record(z.string(), z.unknown()),
          metadata: { noStore: true, allowedMediaTypes: ["application/x-www-form-urlencoded"] },
        },
        async (ctx) => {
          const provider = ctx.context.getPlugin("oauth-provider");
          if (!provider) throw new APIError("INTERNAL_SERVER_ERROR");
          const api = getOAuthProviderApi({ ...ctx, path: ASSERTION_ENDPOINT }, provider.options);
          const { client } = await api.authenticateClient({ requireCredentials: true });
          const { resources = [], tenantId = null } = managedRegistration(client) ?? {};
          return ctx.json({ clientId: client.clientId, resources, tenantId } satisfies AuthenticatedClient);
        },
      ),
    },
    rateLimit: [{ pathMatcher: (path) => path === AUTHENTICATE_CLIENT_PATH, ...limit }],
  };
}
