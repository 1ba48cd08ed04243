import { oauthProvider } from "@better-auth/oauth-provider";
import type { BetterAuthPlugin } from "better-auth";
import { APIError } from "better-auth/api";
import { jwt } from "better-auth/plugins/jwt";
import type { AuthDeps } from "./deps.ts";
import { grantOf } from "./grant-claim.ts";
import { AUTH_PAGES } from "./pages.ts";
import { actsIn, personalTenantId } from "./tenants.ts";

const TOKEN_LIMIT = { window: 60, max: 300 };
const AUTHORIZE_LIMIT = { window: 60, max: 120 };
const REGISTER_LIMIT = { window: 60, max: 60 };

/** Better Auth as an OAuth 2.1 authorization server with JWT access tokens (RFC 9068), and the rules that it grants by. */
export function authorizationServer({ config, db, scopes, signingKeys }: AuthDeps): BetterAuthPlugin[] {
  const plugin = oauthProvider({
    loginPage: config.LOGIN_PAGE,
    consentPage: AUTH_PAGES.consent,
    signup: { page: "/sign-up" },
    // The grant belongs to the tenant that is active in the session at consent.
    postLogin: {
      page: AUTH_PAGES.consent,
      shouldRedirect: () => false,
      consentReferenceId: ({ user, session }) => {
        const active: unknown = session?.["activeOrganizationId"];
        return typeof active === "string" ? active : personalTenantId(user?.id ?? "");
      },
    },
    scopes: [...scopes],
    extensions: [{ claims: { accessToken: async ({ ctx }) => ({ grant: await grantOf(ctx) }) } }],
    customAccessTokenClaims: async ({ user, referenceId, scopes: granted }) => {
      // Banning ends sessions; codes and refresh tokens that are out already end here.
      if (user?.["banned"] === true) throw suspended();
      if (granted.includes("admin") && user?.["role"] !== "admin") throw notAdministrator();
      if (user && !(await actsIn(db, user.id, referenceId ?? ""))) throw noMember();
      return { tenant: referenceId };
    },
    enforcePerClientResources: false,
    // Clients of strangers come in by registration, under its policy; past it only administrators make and change them.
    clientPrivileges: ({ user }) => user?.["role"] === "admin",
    allowDynamicClientRegistration: config.CLIENT_REGISTRATION.kind !== "off",
    allowUnauthenticatedClientRegistration: config.CLIENT_REGISTRATION.kind !== "off",
    // Replays within 30 seconds are answered in front of Better Auth, which never sees a rotated token.
    refreshTokenReuseInterval: 0,
    accessTokenExpiresIn: config.ACCESS_TOKEN_TTL,
    idTokenExpiresIn: config.ACCESS_TOKEN_TTL,
    refreshTokenExpiresIn: config.REFRESH_TOKEN_TTL,
    codeExpiresIn: config.CODE_TTL,
    clientRegistrationRequirePKCE: config.REQUIRE_PKCE,
    rateLimit: { token: TOKEN_LIMIT, authorize: AUTHORIZE_LIMIT, register: REGISTER_LIMIT },
  });
  // Its declared OpenAPI metadata has `items?: undefined`, which exactOptionalPropertyTypes does not let pass as absent.
  return [
    jwt({
      jwt: { issuer: config.BASE_URL },
      disableSettingJwtHeader: true,
      jwks: { keyPairConfig: { alg: "ES256" } },
      adapter: signingKeys.adapter,
    }),
    plugin as unknown as BetterAuthPlugin,
  ];
}

const notAdministrator = () =>
  new APIError("BAD_REQUEST", { error: "invalid_scope", error_description: "The scope admin is for administrators." });

const noMember = () =>
  new APIError("BAD_REQUEST", { error: "invalid_grant", error_description: "You are no member of this organization." });

const suspended = () =>
  new APIError("BAD_REQUEST", { error: "invalid_grant", error_description: "This account is suspended." });
