import { APIError, createAuthMiddleware } from "better-auth/api";

/**
 * Lets only people with a good session use an endpoint. Better Auth's own middleware takes a fault of Redis or Postgres for an absent
 * session and signs people out; here it stays a fault.
 */
export const ownSession = createAuthMiddleware(async (ctx) => {
  const { authCookies, internalAdapter, secret } = ctx.context;
  const token = await ctx.getSignedCookie(authCookies.sessionToken.name, secret);
  const session = token ? await internalAdapter.findSession(token) : null;
  if (!session || session.session.expiresAt.getTime() <= Date.now())
    throw new APIError("UNAUTHORIZED", { code: "UNAUTHORIZED", message: "Unauthorized" });
  return { session };
});
