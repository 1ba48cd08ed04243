import { requestAuth } from "../frame/auth-request.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { readOAuthQuery } from "../frame/oauth-query.ts";

/** `POST /sign-out`: ends the session. From a consent page it leads back to the sign-in of the same authorization. */
export function signOut(deps: WebDeps) {
  return async (c: PageContext) => {
    const raw = c.get("form").get("oauth_query") ?? "";
    const query = await readOAuthQuery(raw, deps.config.BETTER_AUTH_SECRETS, Date.now());
    await requestAuth(c, deps, "/sign-out", {});
    return c.redirect(query && query !== "forged" ? `${deps.config.LOGIN_PAGE}?${query.raw}` : "/", 303);
  };
}
