import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthMiddleware } from "better-auth/api";
import { accountEvent, unknownActor } from "../trail.ts";
import type { AuthDeps } from "../deps.ts";
import { DEVICE_SECONDS, knownDevice, rememberAccount } from "../../accounts/known-device.ts";
import { addressHash, clearTries, takeTry } from "../../accounts/password-tries.ts";

const SIGN_IN = "/sign-in/email";

/** The part of Better Auth's request context that {@link rememberDevice} needs. */
interface CookieContext {
  getCookie: (name: string) => string | null | undefined;
  setCookie: (name: string, value: string, attributes: Cookie["attributes"]) => void;
  context: { createAuthCookie: (name: string, attributes: { maxAge: number }) => Cookie };
}

interface Cookie {
  name: string;
  attributes: Record<string, unknown>;
}

const deviceCookie = (ctx: CookieContext) => ctx.context.createAuthCookie("device", { maxAge: DEVICE_SECONDS });

/**
 * Remembers that the person of this browser owns the account with this address. The browser can then sign in to it
 * whatever others try elsewhere.
 */
export async function rememberDevice(ctx: CookieContext, secrets: readonly string[], address: string): Promise<void> {
  const { name, attributes } = deviceCookie(ctx);
  ctx.setCookie(name, await rememberAccount(secrets, ctx.getCookie(name), address), attributes);
}

/** The refusal before a password is checked. Better Auth's rate limiter answers in the same form. */
export const tooManyTries = (seconds: number) =>
  new APIError(
    "TOO_MANY_REQUESTS",
    { code: "TOO_MANY_TRIES", message: "Too many attempts for this account. Wait, or choose a new password by email." },
    { "X-Retry-After": String(seconds) },
  );

/**
 * Slows down guesses at one account, from any number of network addresses, before a password is hashed. Browsers that
 * signed in to the account before have counts of their own, so that others cannot lock out its owner. Addresses without
 * an account are counted in the same way.
 */
export function loginBackoff({
  config,
  redis,
  db,
  background,
  journal,
  now,
}: Pick<AuthDeps, "config" | "redis" | "db" | "background" | "journal" | "now">): BetterAuthPlugin {
  const secrets = config.BETTER_AUTH_SECRETS;
  const matcher = (context: { path?: string | undefined }) => context.path === SIGN_IN;

  async function bucketOf(ctx: CookieContext, address: string): Promise<string> {
    const device = await knownDevice(secrets, ctx.getCookie(deviceCookie(ctx).name), address);
    const account = await addressHash(secrets, address);
    return device === undefined ? account : `${account}:${device}`;
  }

  /**
   * The account has not been looked up, and that would cost a statement, so the entry names the bucket of the address.
   */
  function noteWait(bucket: string): void {
    const refused = { event: "account.sign_in_refused", outcome: "refused", code: "backed_off" } as const;
    const detail = { method: "password" };
    const entry = { ...refused, actor: unknownActor(), target: bucket, detail };
    journal.tried(accountEvent(undefined, entry, now()), bucket);
  }

  return {
    id: "login-backoff",
    hooks: {
      before: [
        {
          matcher,
          handler: createAuthMiddleware(async (ctx) => {
            const { email, password } = (ctx.body ?? {}) as { email?: unknown; password?: unknown };
            if (typeof email !== "string" || typeof password !== "string") return;
            const bucket = await bucketOf(ctx, email.toLowerCase());
            const wait = await takeTry({ redis, db }, bucket, now());
            if (wait === 0) return;
            noteWait(bucket);
            throw tooManyTries(wait);
          }),
        },
      ],
      after: [
        {
          matcher,
          handler: createAuthMiddleware(async (ctx) => {
            const { email } = (ctx.body ?? {}) as { email?: unknown };
            if (typeof email !== "string") return;
            const { newSession, returned } = ctx.context;
            const unconfirmed = returned instanceof APIError && returned.body?.code === "EMAIL_NOT_VERIFIED";
            if (!newSession && !unconfirmed) return;
            const address = email.toLowerCase();
            background(clearTries({ redis, db }, await bucketOf(ctx, address)));
            if (newSession) await rememberDevice(ctx, secrets, address);
          }),
        },
      ],
    },
  };
}
