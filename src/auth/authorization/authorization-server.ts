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
/** A server that asks about each of its callers has one address. */
const INTROSPECT_LIMIT = { window: 60, max: 6_000 };

/** Better Auth as an OAuth 2.1 authorization server with JWT access tokens (RFC 9068), and the rules that it grants by. */
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
    // The grant belongs to the tenant that is active in the session at consent, and the consent to that tenant and redirect URI.
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
      // Banning ends sessions; codes and refresh tokens that are out already end here.
      if (user && !isActive(user, Date.now())) throw suspended();
      if (granted.includes("admin") && !isAdministratorRole(user?.["role"])) throw notAdministrator();
      return referenceId === undefined ? {} : { tenant: tenantOfReference(referenceId) };
    },
    enforcePerClientResources: false,
    // Clients of strangers come in by registration, under its policy; administrators make them by the management API, which ends what
    // a change takes away.
    clientPrivileges: () => false,
    allowDynamicClientRegistration: config.CLIENT_REGISTRATION.kind !== "off",
    allowUnauthenticatedClientRegistration: config.CLIENT_REGISTRATION.kind !== "off",
    // Replays within 30 seconds are answered in front of Better Auth, which never sees a rotated token.
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
  // Its declared OpenAPI metadata has `items?: undefined`, which exactOptionalPropertyTypes does not let pass as absent.
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

/** What keeps a grant from giving an access token: the consent that a code or a device was given is gone, or the person has left the tenant. */
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
  new APIError("BAD_REQUEST", { error: "invalid_scope", error_description: "The scope admin is for administrators." });

const noConsent = () =>
  new APIError("BAD_REQUEST", { error: "invalid_grant", error_description: "This app has been disconnected." });

const noMember = () =>
  new APIError("BAD_REQUEST", { error: "invalid_grant", error_description: "You are no member of this organization." });

const suspended = () =>
  new APIError("BAD_REQUEST", { error: "invalid_grant", error_description: "This account is suspended." });
