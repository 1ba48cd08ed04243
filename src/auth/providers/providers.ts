import type { BetterAuthOptions, BetterAuthPlugin } from "better-auth";
import { APIError } from "better-auth/api";
import { genericOAuth } from "better-auth/plugins/generic-oauth";
import type { Config } from "../../platform/config.ts";
import type { Outbound } from "../../platform/outbound/outbound.ts";
import { oidcPerson, type OidcMetadata } from "./oidc.ts";

type ProviderSettings = Pick<
  Config,
  | "GITHUB_CLIENT_ID"
  | "GITHUB_CLIENT_SECRET"
  | "GOOGLE_CLIENT_ID"
  | "GOOGLE_CLIENT_SECRET"
  | "OIDC_ISSUER"
  | "OIDC_CLIENT_ID"
  | "OIDC_CLIENT_SECRET"
>;

/** Sign-in by GitHub and Google, where their credentials are set. */
export function socialProviders(config: ProviderSettings): NonNullable<BetterAuthOptions["socialProviders"]> {
  const { GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET } = config;
  return {
    ...(GITHUB_CLIENT_ID &&
      GITHUB_CLIENT_SECRET && { github: { clientId: GITHUB_CLIENT_ID, clientSecret: GITHUB_CLIENT_SECRET } }),
    ...(GOOGLE_CLIENT_ID &&
      GOOGLE_CLIENT_SECRET && {
        // An ID token in a request is not bound to a browser, so only the callback is accepted.
        google: { clientId: GOOGLE_CLIENT_ID, clientSecret: GOOGLE_CLIENT_SECRET, disableIdTokenSignIn: true },
      }),
  };
}

/** Sign-in by the operator's provider, once its metadata is known. */
export function oidcProvider(
  config: ProviderSettings,
  provider: OidcMetadata | undefined,
  fetcher: Outbound,
): BetterAuthPlugin[] {
  const { OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret } = config;
  if (!provider || !clientId || !clientSecret) return [];
  const plugin = genericOAuth({
    config: [
      {
        providerId: "oidc",
        clientId,
        clientSecret,
        authorizationUrl: provider.authorization_endpoint,
        tokenUrl: provider.token_endpoint,
        scopes: ["openid", "email", "profile"],
        pkce: true,
        accountSubject: ({ profile }) => String(profile["id"] ?? ""),
        getUserInfo: async (tokens) => {
          const person = await oidcPerson(config, provider, tokens, fetcher);
          return person && { ...person };
        },
      },
    ],
  });
  return [plugin];
}

/**
 * An address counts only when the provider has verified it: an account with an unverified address could be anybody's.
 */
export function unverifiedByProvider(
  user: { emailVerified?: boolean },
  path: string | undefined,
): APIError | undefined {
  if (!path?.startsWith("/callback/") || user.emailVerified === true) return undefined;
  return new APIError("FORBIDDEN", {
    code: "email_not_verified",
    message: "The provider has not verified this address.",
  });
}
