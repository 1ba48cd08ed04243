import type { BetterAuthPlugin } from "better-auth";
import { createAuthMiddleware } from "better-auth/api";
import { sha256 } from "../../platform/crypto.ts";
import { redisKeys } from "../../platform/redis/redis.ts";
import type { AuthDeps } from "../deps.ts";
import { currentTokenRequest } from "../storage/token-request.ts";

const PATHS = ["/oauth2/token", "/oauth2/userinfo"];
/** The shortest time for which a used proof is remembered, in seconds. */
const SHORTEST = 1;

/**
 * What Better Auth lacks for binding tokens to keys (RFC 9449). Used proofs are remembered in Redis, because Better
 * Auth's own store would put all one-time values in Postgres. A proof may name any address of the token endpoint, not
 * only Better Auth's.
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
