import { createHash } from "node:crypto";
import { apiKey } from "@better-auth/api-key";
import { oauthProvider } from "@better-auth/oauth-provider";
import type { BetterAuthOptions, BetterAuthPlugin } from "better-auth";
import { APIError } from "better-auth/api";
import { betterAuth } from "better-auth/minimal";
import { admin } from "better-auth/plugins/admin";
import { jwt } from "better-auth/plugins/jwt";
import { organization } from "better-auth/plugins/organization";
import type { Config } from "../platform/config.ts";
import type { Db } from "../platform/db.ts";
import type { Log } from "../platform/log.ts";
import { database } from "./database.ts";
import { grantOf } from "./grant-claim.ts";
import { keyChangeHooks } from "./key-changes.ts";
import { linkMail, type Mail, type SendMail } from "./mail.ts";
import { maySignUp, userProblem } from "./sign-up.ts";
import type { SigningKeys } from "./signing-keys.ts";
import type { redisStorage } from "./storage.ts";
import { actsIn, ensurePersonalTenant, personalTenantId } from "./tenants.ts";
import { unfinishedSignUp } from "./unfinished-sign-up.ts";

/** What the authentication framework runs on. Functions of other capabilities come in as arguments. */
export interface AuthDeps {
  config: Config;
  db: Db;
  storage: ReturnType<typeof redisStorage>;
  signingKeys: SigningKeys;
  sendMail: SendMail;
  log: Log;
  /** Work that goes on after the answer. */
  background: (work: Promise<unknown>) => void;
  generateApiKey: () => string;
  keyStartLength: number;
  defaultKeyPermissions: Record<string, string[]>;
  /** Called with a key's hash after a committed change, before the answer that confirms it (R9). */
  onKeyChanged: (hash: string) => Promise<void>;
  scopes: readonly string[];
}

const TOKEN_LIMIT = { window: 60, max: 300 };
const AUTHORIZE_LIMIT = { window: 60, max: 120 };
const REGISTER_LIMIT = { window: 60, max: 60 };
const VERIFICATION_SECONDS = 3600;
const NEW_USER = { role: "user", banned: false, banReason: null, banExpires: null };

/** Pages that Better Auth sends people to; `web` serves them. */
export const AUTH_PAGES = { consent: "/consent", error: "/error", verifyEmail: "/verify-email" };

/** The options of the one Better Auth instance (R1). Exported apart so that a test can generate the schema they imply. */
export function authOptions(deps: AuthDeps) {
  const { config, db } = deps;
  return {
    appName: "MCP Registry Gateway",
    baseURL: config.BASE_URL,
    basePath: "/api/auth",
    secrets: config.BETTER_AUTH_SECRETS.map((value) => ({ version: secretVersion(value), value })),
    trustedOrigins: [config.BASE_URL],
    // Tokens for the session of a browser are nobody's business: clients get theirs from the OAuth token endpoint.
    disabledPaths: ["/token"],
    database: database(db, config.BASE_URL),
    secondaryStorage: deps.storage,
    session: { storeSessionInDatabase: true, cookieCache: { enabled: true, maxAge: 60 } },
    emailAndPassword: {
      enabled: true,
      requireEmailVerification: true,
      minPasswordLength: 10,
      maxPasswordLength: 128,
      // What a sign-up with an address that has an account is answered with: the plugins' fields must look as on a new one.
      customSyntheticUser: ({ coreFields, id }) => ({ ...coreFields, ...NEW_USER, id }),
    },
    emailVerification: {
      sendOnSignUp: true,
      sendOnSignIn: true,
      autoSignInAfterVerification: false,
      expiresIn: VERIFICATION_SECONDS,
      sendVerificationEmail: async ({ user, url }) => deps.sendMail(verificationMail(config.BASE_URL, user.email, url)),
    },
    rateLimit: {
      enabled: true,
      storage: "secondary-storage",
      window: 60,
      max: 300,
      customRules: {
        "/jwks": false,
        "/.well-known/*": false,
        // An office shares one address: its people must be able to sign in at nine, a guesser must not get far.
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
    databaseHooks: {
      user: {
        create: {
          before: async (user) => {
            const problem = userProblem(user);
            if (problem !== undefined) throw new APIError("BAD_REQUEST", { code: "INVALID_USER", message: problem });
            if (!maySignUp(config, user.email)) {
              throw new APIError("FORBIDDEN", {
                code: "SIGN_UP_CLOSED",
                message: "Sign-up is by invitation on this gateway.",
              });
            }
          },
          after: async (user) => {
            await ensurePersonalTenant(db, user.id, config.ADMIN_EMAILS);
          },
        },
        update: {
          before: async (user) => {
            const problem = userProblem(user);
            if (problem !== undefined) throw new APIError("BAD_REQUEST", { code: "INVALID_USER", message: problem });
          },
        },
      },
      session: {
        create: {
          before: async (session) => {
            const tenant = await ensurePersonalTenant(db, session.userId, config.ADMIN_EMAILS);
            return { data: { ...session, activeOrganizationId: tenant } };
          },
        },
      },
    },
    plugins: [
      unfinishedSignUp(deps),
      admin(),
      organization(),
      jwt({
        jwt: { issuer: config.BASE_URL },
        disableSettingJwtHeader: true,
        jwks: { keyPairConfig: { alg: "ES256" } },
        adapter: deps.signingKeys.adapter,
      }),
      authorizationServer(deps),
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

function authorizationServer({ config, db, scopes }: AuthDeps): BetterAuthPlugin {
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
  return plugin as unknown as BetterAuthPlugin;
}

const notAdministrator = () =>
  new APIError("BAD_REQUEST", { error: "invalid_scope", error_description: "The scope admin is for administrators." });

const noMember = () =>
  new APIError("BAD_REQUEST", { error: "invalid_grant", error_description: "You are no member of this organization." });

const suspended = () =>
  new APIError("BAD_REQUEST", { error: "invalid_grant", error_description: "This account is suspended." });

export type Auth = ReturnType<typeof createAuth>;

/** Builds the instance; await its `$context` before use. Costs about 10 ms of CPU and no round trip, so each isolate does it once. */
export const createAuth = (deps: AuthDeps) => betterAuth(authOptions(deps));

/** Better Auth wants a stable number for each secret; it is stored beside what the secret encrypts and says nothing about it. */
function secretVersion(secret: string): number {
  return createHash("sha256").update(`version:${secret}`).digest().readUInt32BE() >>> 1;
}

function verificationMail(origin: string, to: string, url: string): Mail {
  const source = new URL(url).searchParams;
  const page = new URL(AUTH_PAGES.verifyEmail, origin);
  page.searchParams.set("token", source.get("token") ?? "");
  const next = source.get("callbackURL");
  if (next?.startsWith("/sign-in?")) page.searchParams.set("next", next);
  return linkMail({
    to,
    subject: "Confirm your e-mail address",
    intro: "Someone, probably you, opened an account at the MCP Registry Gateway with this address.",
    action: "Confirm the address",
    url: page.href,
    outro: "The link is valid for one hour. If it was not you, ignore this message.",
  });
}
