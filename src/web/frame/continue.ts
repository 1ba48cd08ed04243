import { textOf, type AuthAnswer } from "./auth-request.ts";
import type { PageContext, WebDeps } from "./deps.ts";
import { errorPage } from "./error.tsx";
import type { OAuthQuery } from "./oauth-query.ts";
import { checkedTarget } from "./redirect.ts";

/** Redirects to where Better Auth continues an authorization, if that is on this origin or its redirect URI. */
export function continueTo(
  c: PageContext,
  { config, log }: Pick<WebDeps, "config" | "log">,
  answer: AuthAnswer,
  query: OAuthQuery,
): Response | Promise<Response> {
  const named = textOf(answer.body, "url") ?? textOf(answer.body, "redirect_uri") ?? "";
  const target = named === "" ? undefined : checkedTarget(named, config.BASE_URL, query.redirectUri);
  if (target !== undefined) return c.redirect(target, 303);
  log("error", "web.unexpected_target", { requestId: c.get("requestId"), clientId: query.clientId });
  return errorPage(c, "server_error");
}
