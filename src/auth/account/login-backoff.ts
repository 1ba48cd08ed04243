import type { BetterAuthPlugin } from "better-auth";
import { APIError, createAuthMiddleware } from "better-auth/api";
import { accountEvent, unknownActor } from "../trail.ts";
import type { AuthDeps } from "../deps.ts";
import { DEVICE_SECONDS, knownDevice, rememberAccount } from "../../accounts/known-device.ts";
import { addressHash, clearTries, takeTry } from "../../accounts/password-tries.ts";

const SIGN_IN = "/sign-in/email";

/** What {@link rememberDevice} needs of Better Auth's context for a request. */
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

/** Lets a browser, whose person has proved to own the account with this address, sign in to it whatever strangers try elsewhere. */
export async function rememberDevice(ctx: CookieContext, secrets: readonly string[], address: string): Promise<void> {
  const { name, attributes } = deviceCookie(ctx);
  ctx.setCookie(name, await rememberAccount(secrets, ctx.getCookie(name), address), attributes);
}

/** The refusal of a password that is not checked yet. Better Auth's limiter answers in the same form. */
export const tooManyTries = (seconds: number) =>
  new APIError(
    "TOO_MANY_REQUESTS",
    { code: "TOO_MANY_TRIES", message: "Too many attempts for this account. Wait, or choose a new password by mail." },
    { "X-Retry-After": String(seconds) },
  );

/**
 * Slows down guessing at one account, from however many network addresses, before a password is hashed. Browsers in which somebody has signed
 * in to the account before are counted apart, so that strangers cannot lock its owner out. Addresses without an account are counted alike.
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

  /** Nobody has looked for the account yet, and a look would cost a statement: the entry names the bucket of the address. */
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
