import type { BetterAuthPlugin } from "better-auth";
import { createAuthMiddleware } from "better-auth/api";
import { sha256 } from "../../platform/crypto.ts";
import { redisKeys } from "../../platform/redis/redis.ts";
import type { AuthDeps } from "../deps.ts";
import { currentTokenRequest } from "../storage/token-request.ts";

const PATHS = ["/oauth2/token", "/oauth2/userinfo"];
/** A proof that lives for less is remembered for so long all the same, in seconds. */
const SHORTEST = 1;

/**
 * What Better Auth lacks here to bind tokens to keys (RFC 9449): used proofs are remembered in Redis, because its own memory wants all one-time
 * values in Postgres; and a proof may name any address of the token endpoint, not only Better Auth's.
 */
export function tokenBinding({ redis }: Pick<AuthDeps, "redis">): BetterAuthPlugin {
  async function reserveVerificationValue(value: { identifier: string; expiresAt: Date }): Promise<boolean> {
    const seconds = Math.max(SHORTEST, Math.ceil((value.expiresAt.getTime() - Date.now()) / 1000));
    const key = redisKeys.spentProof(await sha256(value.identifier));
    return (await redis.set(key, "1", { nx: true, ex: seconds })) !== null;
  }

  return {
    id: "token-binding",
    hooks: {
      before: [
        {
          matcher: ({ path, headers }) => PATHS.includes(path ?? "") && headers?.has("dpop") === true,
          handler: createAuthMiddleware(async ({ request }) => {
            const endpoint = currentTokenRequest()?.endpoint;
            const asked = request && endpoint !== undefined ? { request: new Request(endpoint, request.clone()) } : {};
            return { context: { ...asked, context: { internalAdapter: { reserveVerificationValue } } } };
          }),
        },
      ],
    },
  };
}
