import { getOAuthProviderState, oauthProvider, type OAuthClaimExtensionInput } from "@better-auth/oauth-provider";
import type { BetterAuthPlugin } from "better-auth";
import { APIError } from "better-auth/api";
import { jwt } from "better-auth/plugins/jwt";
import { actsIn, isActive, isAdministratorRole, personalTenantId } from "../../identity/standing.ts";
import { clientAuthentication } from "./client-authentication.ts";
import { clientMetadata } from "./client-metadata.ts";
import { clientGrantClaim, machineClaims } from "./client-claims.ts";
import { consentReference, tenantOfReference } from "../../grants/consent-reference.ts";
import { beginGrant } from "../../grants/consents.ts";
import type { AuthDeps } from "../deps.ts";
import { deviceAuthorization } from "./device-authorization.ts";
import { DPOP_ALGORITHMS, PROOF_WINDOW_SECONDS } from "../../grants/dpop.ts";
import { DEVICE_GRANT, grantOf } from "../../grants/grant-id.ts";
import { AUTH_PAGES } from "../../identity/pages.ts";
import { tokenBinding } from "./token-binding.ts";

const TOKEN_LIMIT = { window: 60, max: 300 };
const AUTHORIZE_LIMIT = { window: 60, max: 120 };
const REGISTER_LIMIT = { window: 60, max: 60 };
/** High, because a server that asks about each of its callers does so from one address. */
const INTROSPECT_LIMIT = { window: 60, max: 6_000 };

/**
 * Better Auth as an OAuth 2.1 authorization server with JWT access tokens (RFC 9068), and the rules for granting them.
 */
export function authorizationServer({
  config,
  db,
  scopes,
  signingKeys,
  redis,
  outbound,
  log,
  journal,
  now,
}: AuthDeps): BetterAuthPlugin[] {
  const plugin = oauthProvider({
    loginPage: config.LOGIN_PAGE,
    consentPage: AUTH_PAGES.consent,
    signup: { page: "/sign-up" },
    // The grant is for the tenant active in the session at consent; the consent is for that tenant and redirect URI.
    postLogin: {
      page: AUTH_PAGES.consent,
      shouldRedirect: () => false,
      consentReferenceId: async ({ user, session }) => {
        const active: unknown = session?.["activeOrganizationId"];
        const tenant = typeof active === "string" && (await actsIn(db, user.id, active)) ? active : undefined;
        const request = new URLSearchParams((await getOAuthProviderState())?.query);
        return consentReference(tenant ?? personalTenantId(user.id), request.get("redirect_uri") ?? undefined);
      },
    },
    scopes: [...scopes],
    extensions: [
      {
        claims: {
          accessToken: async (input) => {
            if (input.grantType === "client_credentials") return machineClaims(db, input.client);
            const grant = await grantOf(input.ctx);
            const refused = await standingProblem({ config, db }, grant, input);
            if (refused) throw refused;
            return { grant, ...clientGrantClaim(input.client) };
          },
        },
      },
      ...(config.CLIENT_REGISTRATION.kind === "off"
        ? []
        : [{ clientDiscovery: clientMetadata({ config, redis, outbound, journal, now, log }) }]),
    ],
    customAccessTokenClaims: ({ user, referenceId, scopes: granted }) => {
      // Banning ends sessions. Codes and refresh tokens that are already issued are refused here.
      if (user && !isActive(user, Date.now())) throw suspended();
      if (granted.includes("admin") && !isAdministratorRole(user?.["role"])) throw notAdministrator();
      return referenceId === undefined ? {} : { tenant: tenantOfReference(referenceId) };
    },
    enforcePerClientResources: false,
    // Unauthenticated callers create clients by registration, under its policy. Administrators create them with the
    // management API, which ends the tokens that a change takes rights from.
    clientPrivileges: () => false,
    allowDynamicClientRegistration: config.CLIENT_REGISTRATION.kind !== "off",
    allowUnauthenticatedClientRegistration: config.CLIENT_REGISTRATION.kind !== "off",
    // Replays within 30 seconds are answered before Better Auth, which never sees a rotated token.
    refreshTokenReuseInterval: 0,
    accessTokenExpiresIn: config.ACCESS_TOKEN_TTL,
    m2mAccessTokenExpiresIn: config.ACCESS_TOKEN_TTL,
    idTokenExpiresIn: config.ACCESS_TOKEN_TTL,
    refreshTokenExpiresIn: config.REFRESH_TOKEN_TTL,
    codeExpiresIn: config.CODE_TTL,
    clientRegistrationRequirePKCE: config.REQUIRE_PKCE,
    dpop: { signingAlgorithms: [...DPOP_ALGORITHMS], proofMaxAgeSeconds: PROOF_WINDOW_SECONDS },
    rateLimit: { token: TOKEN_LIMIT, authorize: AUTHORIZE_LIMIT, register: REGISTER_LIMIT },
  });
  // The plugin's declared OpenAPI metadata has `items?: undefined`, which exactOptionalPropertyTypes does not accept as
  // absent.
  return [
    jwt({
      jwt: { issuer: config.BASE_URL },
      disableSettingJwtHeader: true,
      jwks: { keyPairConfig: { alg: "ES256" } },
      adapter: signingKeys.adapter,
    }),
    plugin as unknown as BetterAuthPlugin,
    clientAuthentication(INTROSPECT_LIMIT),
    tokenBinding({ redis }),
    deviceAuthorization({ config, db, redis, now }),
  ];
}

/**
 * Why a grant gives no access token: the consent of its code or device was withdrawn, or the person has left the
 * tenant.
 */
async function standingProblem(
  { config, db }: Pick<AuthDeps, "config" | "db">,
  grantId: string | undefined,
  { user, client, referenceId: reference = "", grantType, scopes }: OAuthClaimExtensionInput,
): Promise<APIError | undefined> {
  if (!user) return undefined;
  if ((grantType !== "authorization_code" && grantType !== DEVICE_GRANT) || grantId === undefined)
    return (await actsIn(db, user.id, tenantOfReference(reference))) ? undefined : noMember();
  const problem = await beginGrant(db, {
    grantId,
    userId: user.id,
    clientId: client.clientId,
    reference,
    scopes,
    trusted: client.skipConsent === true && grantType !== DEVICE_GRANT,
    seconds: config.ACCESS_TOKEN_TTL,
  });
  if (problem === "no_consent") return noConsent();
  return problem === "no_member" ? noMember() : undefined;
}

const notAdministrator = () =>
  new APIError("BAD_REQUEST", {
    error: "invalid_scope",
    error_description: "Only administrators can use the scope admin.",
  });

const noConsent = () =>
  new APIError("BAD_REQUEST", { error: "invalid_grant", error_description: "This app has been disconnected." });

const noMember = () =>
  new APIError("BAD_REQUEST", {
    error: "invalid_grant",
    error_description: "You are not a member of this organization.",
  });

const suspended = () =>
  new APIError("BAD_REQUEST", { error: "invalid_grant", error_description: "This account is suspended." });
