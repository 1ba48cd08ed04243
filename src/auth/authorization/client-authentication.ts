import { getOAuthProviderApi } from "@better-auth/oauth-provider";
import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthEndpoint } from "better-auth/api";
import * as z from "zod";
import { AUTHENTICATE_CLIENT_PATH, type AuthenticatedClient } from "../../grants/clients/authenticated-client.ts";
import { managedRegistration } from "../../grants/clients/managed-client.ts";

/** The endpoint at which an assertion may be aimed (RFC 7523 §3), whichever of ours it is sent to; the issuer is good, too. */
const ASSERTION_ENDPOINT = "/oauth2/token";

/**
 * Lets endpoints of ours use the framework's client authentication by secret or assertion, under its limits: it answers with the
 * client that a form comes from. Public clients prove nothing and are refused.
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
