import { createHash } from "node:crypto";
import { apiKey } from "@better-auth/api-key";
import type { BetterAuthOptions } from "better-auth";
import { betterAuth } from "better-auth/minimal";
import { admin } from "better-auth/plugins/admin";
import { organization } from "better-auth/plugins/organization";
import { NEW_USER_STANDING } from "../identity/standing.ts";
import { VERIFICATION_SECONDS } from "../accounts/mails.ts";
import { runAuthRequest } from "./trail.ts";
import { accountPlugins } from "./account/plugins.ts";
import { accountRules } from "./account/rules.ts";
import { sendVerification, sendVerificationAgain } from "./account/address-proof.ts";
import { authorizationServer } from "./authorization/authorization-server.ts";
import { database } from "./storage/database.ts";
import type { AuthDeps } from "./deps.ts";
import { keyChangeHooks } from "./key-changes.ts";
import { PASSWORD_LENGTH } from "../accounts/sign-up.ts";
import { AUTH_PAGES } from "../identity/pages.ts";
import { oidcProvider, socialProviders } from "./providers/providers.ts";
import { withoutSessionFaults } from "./storage/session-faults.ts";

/** The framework's endpoints for reading, changing and withdrawing consents. */
const CONSENT_PATHS = ["get-consents", "get-consent", "update-consent", "delete-consent"].map(
  (name) => `/oauth2/${name}`,
);
/**
 * The framework's endpoints for organizations. They check before they write, and do not end the credentials of a member
 * who leaves.
 */
const ORGANIZATION_PATHS = [
  ..."create update delete invite-member accept-invitation reject-invitation cancel-invitation remove-member leave".split(
    " ",
  ),
  ..."update-member-role get-full-organization list-invitations list-user-invitations get-invitation".split(" "),
  ..."check-slug get-organization list-members get-active-member get-active-member-role has-permission".split(" "),
].map((name) => `/organization/${name}`);

/** The options of the one Better Auth instance. Exported so that a test can generate the schema they imply. */
export function authOptions(deps: AuthDeps) {
  const { config, db } = deps;
  return {
    appName: "MCP Registry Gateway",
    baseURL: config.BASE_URL,
    basePath: "/api/auth",
    secrets: config.BETTER_AUTH_SECRETS.map((value) => ({ version: secretVersion(value), value })),
    trustedOrigins: [config.BASE_URL],
    // Closed: tokens for a browser session, because clients get theirs from the OAuth token endpoint. Consents, because
    // the dashboard ends them with their grants; the framework's endpoints leave the tokens valid and reveal whose
    // consent an id is. Verification emails, because they are sent when the account's password is entered, not when
    // anybody names its address.
    disabledPaths: [
      "/token",
      "/send-verification-email",
      "/admin/remove-user",
      ...CONSENT_PATHS,
      ...ORGANIZATION_PATHS,
    ],
    database: database(db, config.BASE_URL),
    secondaryStorage: deps.storage,
    // No copy of a session in a cookie: it would outlive the session by up to a minute.
    session: { storeSessionInDatabase: true },
    emailAndPassword: {
      enabled: true,
      requireEmailVerification: true,
      minPasswordLength: PASSWORD_LENGTH.min,
      maxPasswordLength: PASSWORD_LENGTH.max,
      onExistingUserSignUp: ({ user }) => sendVerificationAgain(deps, user),
      // The answer to a sign-up with an address that has an account. The plugins' fields must look like those of a new
      // one.
      customSyntheticUser: ({ coreFields, id }) => ({ ...coreFields, ...NEW_USER_STANDING, id }),
    },
    emailVerification: {
      sendOnSignUp: true,
      sendOnSignIn: true,
      autoSignInAfterVerification: false,
      expiresIn: VERIFICATION_SECONDS,
      sendVerificationEmail: (mail, request) => sendVerification(deps, mail, request),
    },
    rateLimit: {
      enabled: true,
      storage: "secondary-storage",
      window: 60,
      max: 300,
      customRules: {
        "/jwks": false,
        "/.well-known/*": false,
        // An office shares one address: its people must be able to sign in at nine, but a guesser must not get far.
        "/sign-in/*": { window: 60, max: 20 },
        "/sign-up/*": { window: 60, max: 10 },
      },
    },
    onAPIError: { errorURL: `${config.BASE_URL}${AUTH_PAGES.error}` },
    logger: {
      level: "warn",
      log: (level, message) =>
        deps.log(level === "error" ? "error" : "warn", "better-auth", { message: message.slice(0, 300) }),
    },
    telemetry: { enabled: false },
    advanced: {
      cookiePrefix: "mrg",
      useSecureCookies: config.BASE_URL.startsWith("https:"),
      ipAddress: { ipAddressHeaders: ["cf-connecting-ip"] },
      backgroundTasks: { handler: deps.background },
    },
    hooks: keyChangeHooks(deps),
    databaseHooks: accountRules(deps),
    socialProviders: socialProviders(config),
    // A provider's tokens for acting as a person are not needed here. Those that are stored are encrypted.
    account: { encryptOAuthTokens: true },
    plugins: [
      ...accountPlugins(deps),
      admin(),
      organization(),
      ...authorizationServer(deps),
      ...oidcProvider(config, deps.oidc, deps.fetchProvider),
      apiKey({
        configId: "default",
        requireName: true,
        enableMetadata: true,
        enableSessionForAPIKeys: false,
        rateLimit: { enabled: false },
        customKeyGenerator: deps.generateApiKey,
        startingCharactersConfig: { charactersLength: deps.keyStartLength },
        permissions: { defaultPermissions: deps.defaultKeyPermissions },
      }),
    ],
  } satisfies BetterAuthOptions;
}

export type Auth = ReturnType<typeof createAuth>;

/**
 * Builds the instance; await its `$context` before use. Costs about 10 ms of CPU and no round trip. Each isolate does
 * it once.
 */
export function createAuth(deps: AuthDeps) {
  const auth = betterAuth(authOptions(deps));
  return {
    ...auth,
    /** Handles a request under our request id, which the audit log keeps. */
    handler: (request: Request, requestId: string) =>
      runAuthRequest(request, requestId, () => withoutSessionFaults(() => auth.handler(request))),
  };
}

/**
 * Better Auth needs a stable number for each secret. It is stored beside what the secret encrypts and does not reveal
 * the secret.
 */
function secretVersion(secret: string): number {
  return createHash("sha256").update(`version:${secret}`).digest().readUInt32BE() >>> 1;
}
