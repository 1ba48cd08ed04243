import { requestAuth, textOf } from "./auth-request.ts";
import { consentPage } from "./consent-page.tsx";
import type { PageContext, WebDeps } from "./deps.ts";
import { errorPage } from "./error.tsx";
import { htmlPage } from "./layout.tsx";
import { readOAuthQuery, restartPath, type OAuthQuery } from "./oauth-query.ts";
import { formToken, refusedForm } from "./protected-form.tsx";
import { formActionSource } from "./redirect.ts";
import { signedIn, type SignedIn } from "./session.ts";
import { continueTo } from "./sign-in.tsx";
import { inWords } from "./wait.ts";

/** `GET /consent`: shows what an app asks for, once the request is known to be one that the authorization server has checked. */
export function showConsent(deps: WebDeps) {
  return async (c: PageContext) => {
    const asked = await askedOf(c, deps, new URL(c.req.url).search.slice(1));
    if (asked instanceof Response) return asked;
    const { query, person } = asked;
    const search = new URLSearchParams({ client_id: query.clientId });
    const client = await requestAuth(c, deps, `/oauth2/public-client?${search.toString()}`);
    if (client.status === 429) return tooManyPage(c, client.retryAfter);
    if (client.status !== 200) return errorPage(c, "invalid_client");
    c.set("formTarget", formActionSource(query.redirectUri));
    return consentPage(c, {
      query,
      person,
      clientName: textOf(client.body, "client_name"),
      consentToken: await formToken(c, deps, "consent"),
      signOutToken: await formToken(c, deps, "sign-out"),
    });
  };
}

/** `POST /consent`: hands the decision to Better Auth and the browser to where that leads. */
export function decideConsent(deps: WebDeps) {
  return async (c: PageContext) => {
    const form = c.get("form");
    const asked = await askedOf(c, deps, form.get("oauth_query") ?? "");
    if (asked instanceof Response) return asked;
    const { query, person } = asked;
    // Somebody else has signed in since the page was shown: they have not seen it.
    if (form.get("user") !== person.userId) return refusedForm(c, deps.config.BASE_URL, "expired");
    const decision = form.get("decision");
    if (decision !== "allow" && decision !== "deny") return errorPage(c, "invalid_request");
    const answer = await requestAuth(c, deps, "/oauth2/consent", {
      accept: decision === "allow",
      oauth_query: query.raw,
    });
    if (answer.status === 429) return tooManyPage(c, answer.retryAfter);
    if (answer.status === 401) return c.redirect(`${deps.config.LOGIN_PAGE}?${query.raw}`, 303);
    if (answer.code === "invalid_signature") return c.redirect(restartPath(query, []), 303);
    if (answer.status !== 200) return errorPage(c, answer.code);
    return continueTo(c, deps, answer, query);
  };
}

/** The request and the person it is put to, or the answer when one of them is missing. */
async function askedOf(
  c: PageContext,
  deps: WebDeps,
  raw: string,
): Promise<{ query: OAuthQuery; person: SignedIn } | Response> {
  const query = await readOAuthQuery(raw, deps.config.BETTER_AUTH_SECRETS, Date.now());
  if (query === undefined || query === "forged") return errorPage(c, "invalid_signature");
  if (query.expired) return c.redirect(restartPath(query, []), 303);
  const person = await signedIn(c, deps, { fresh: true });
  return person ? { query, person } : c.redirect(`${deps.config.LOGIN_PAGE}?${query.raw}`, 303);
}

function tooManyPage(c: PageContext, retryAfter: number) {
  c.header("retry-after", String(retryAfter));
  return htmlPage(
    c,
    { title: "Too many requests", status: 429 },
    <p>Wait {inWords(retryAfter)}, then reload this page.</p>,
  );
}
