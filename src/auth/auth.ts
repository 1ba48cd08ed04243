import { createHash } from "node:crypto";
import { apiKey } from "@better-auth/api-key";
import type { BetterAuthOptions } from "better-auth";
import { betterAuth } from "better-auth/minimal";
import { admin } from "better-auth/plugins/admin";
import { organization } from "better-auth/plugins/organization";
import { accountRules } from "./account-rules.ts";
import { VERIFICATION_SECONDS, verificationMail } from "./account-mails.ts";
import { authorizationServer } from "./authorization-server.ts";
import { database } from "./database.ts";
import type { AuthDeps } from "./deps.ts";
import { keyChangeHooks } from "./key-changes.ts";
import { AUTH_PAGES } from "./pages.ts";
import { unfinishedSignUp } from "./unfinished-sign-up.ts";

const NEW_USER = { role: "user", banned: false, banReason: null, banExpires: null };

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
    databaseHooks: accountRules(deps),
    plugins: [
      unfinishedSignUp(deps),
      admin(),
      organization(),
      ...authorizationServer(deps),
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

/** Builds the instance; await its `$context` before use. Costs about 10 ms of CPU and no round trip, so each isolate does it once. */
export const createAuth = (deps: AuthDeps) => betterAuth(authOptions(deps));

/** Better Auth wants a stable number for each secret; it is stored beside what the secret encrypts and says nothing about it. */
function secretVersion(secret: string): number {
  return createHash("sha256").update(`version:${secret}`).digest().readUInt32BE() >>> 1;
}
