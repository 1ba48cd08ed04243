import { APIError, createAuthMiddleware } from "better-auth/api";

/**
 * Requires a valid session. Better Auth's own middleware treats a failure of Redis or Postgres as a missing session and
 * signs people out; here the failure is thrown.
 */
export const ownSession = createAuthMiddleware(async (ctx) => {
  const { authCookies, internalAdapter, secret } = ctx.context;
  const token = await ctx.getSignedCookie(authCookies.sessionToken.name, secret);
  const session = token ? await internalAdapter.findSession(token) : null;
  if (!session || session.session.expiresAt.getTime() <= Date.now())
    throw new APIError("UNAUTHORIZED", { code: "UNAUTHORIZED", message: "Unauthorized" });
  return { session };
});
