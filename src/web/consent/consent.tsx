import { happened, type AuditEvent } from "../../audit/event.ts";
import { membershipsOf } from "../../identity/tenants.ts";
import { takeDecision, giveBackDecision } from "../../grants/decision.ts";
import { actsIn, personalTenantId } from "../../identity/standing.ts";
import { errorFields } from "../../platform/log.ts";
import { requestAuth, textOf, type AuthAnswer } from "../frame/auth-request.ts";
import { consentPage } from "./page.tsx";
import { grantedScopes } from "./scopes.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { errorPage } from "../frame/error.tsx";
import { htmlPage } from "../frame/layout.tsx";
import { readOAuthQuery, restartPath, type OAuthQuery } from "../frame/oauth-query.ts";
import { formToken, refusedForm } from "../frame/protected-form.tsx";
import { formActionSource } from "../frame/redirect.ts";
import { changedBy, signedIn, type SignedIn } from "../frame/session.ts";
import { continueTo } from "../frame/continue.ts";
import { inWords } from "../frame/time.tsx";

/** Better Auth's code for a tenant that the person has just left. */
const NO_MEMBER = "USER_IS_NOT_A_MEMBER_OF_THE_ORGANIZATION";

/** An authorization request and the person who is asked for consent. */
interface Asked {
  query: OAuthQuery;
  person: SignedIn;
}

/** What a person decided: the tenant in which the app may act, or undefined to deny, and the scopes that it gets. */
interface Decision {
  tenant: string | undefined;
  scopes: readonly string[];
}

/** `GET /consent`: shows what an app asks for, after checking that the authorization server has signed the request. */
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
      memberships: await membershipsOf(deps.db, person.userId),
      clientName: textOf(client.body, "client_name"),
      consentToken: await formToken(c, deps, "consent"),
      signOutToken: await formToken(c, deps, "sign-out"),
    });
  };
}

/** `POST /consent`: passes the decision to Better Auth, once, and redirects the browser to where it says. */
export function decideConsent(deps: WebDeps) {
  return async (c: PageContext) => {
    const form = c.get("form");
    const asked = await askedOf(c, deps, form.get("oauth_query") ?? "");
    if (asked instanceof Response) return asked;
    const { query, person } = asked;
    // If somebody else has signed in since the page was shown, they have not seen it.
    if (form.get("user") !== person.userId) return refusedForm(c, deps.config.BASE_URL, "expired");
    const decision = form.get("decision");
    if (decision !== "allow" && decision !== "deny") return errorPage(c, "invalid_request");
    const scopes = grantedScopes(query.scopes, person, form);
    // Who can grant nothing of a request denies it.
    const allows = decision === "allow" && scopes.length > 0;
    const tenant = allows ? (form.get("tenant") ?? person.tenantId) : undefined;
    if (tenant !== undefined && !(await actsIn(deps.db, person.userId, tenant))) return noMemberPage(c, query);
    const answer = await onlyOnce(deps, query, () => decide(c, deps, asked, { tenant, scopes }));
    if (answer === undefined) return decidedPage(c, query);
    if (answer.status === 429) return tooManyPage(c, answer.retryAfter);
    // The session has just ended, or could not be read: the consent page checks it again.
    if (answer.status === 401) return c.redirect(`/consent?${query.raw}`, 303);
    if (answer.code === "invalid_signature") return c.redirect(restartPath(query, []), 303);
    if (answer.code === NO_MEMBER) return noMemberPage(c, query);
    if (answer.status !== 200) return errorPage(c, answer.code);
    deps.journal.record(decisionEvent(c, asked, { tenant, scopes }));
    return continueTo(c, deps, answer, query);
  };
}

/** The audit event of a decision that Better Auth has stored. An undefined tenant means that it was denied. */
function decisionEvent(c: PageContext, { query, person }: Asked, { tenant, scopes }: Decision): AuditEvent {
  const { actor, now } = changedBy(c, person);
  const named = tenant === undefined ? query.scopes : scopes;
  const about = { actor, target: query.clientId, detail: { scopes: named.join(" ") } };
  return tenant === undefined
    ? happened({ event: "consent.denied", tenantId: personalTenantId(person.userId), ...about }, now)
    : happened({ event: "consent.given", tenantId: tenant, ...about }, now);
}

/**
 * Lets a request be decided once. Returns undefined when it has been decided already. A decision that failed does not
 * count, so it can be tried again.
 */
async function onlyOnce(
  { grants: { redis }, log }: Pick<WebDeps, "grants" | "log">,
  query: OAuthQuery,
  act: () => Promise<AuthAnswer>,
): Promise<AuthAnswer | undefined> {
  const parameters = new URLSearchParams(query.raw);
  const [signature, expiry] = [parameters.get("sig") ?? "", Number(parameters.get("exp"))];
  if (!(await takeDecision(redis, { signature, expiry }, Date.now()))) return undefined;
  let answer: AuthAnswer | undefined;
  try {
    answer = await act();
    return answer;
  } finally {
    if (answer?.status !== 200)
      await giveBackDecision(redis, signature).catch((error: unknown) =>
        log("warn", "web.decision_not_released", errorFields(error)),
      );
  }
}

/** Allows the request in a tenant, which becomes the active one of the session. Without a tenant, denies it. */
async function decide(
  c: PageContext,
  deps: WebDeps,
  { query, person }: Asked,
  { tenant, scopes }: Decision,
): Promise<AuthAnswer> {
  if (tenant !== undefined && tenant !== person.tenantId) {
    const switched = await requestAuth(c, deps, "/organization/set-active", { organizationId: tenant });
    if (switched.status !== 200) return switched;
  }
  // Reads the session from the database: a cached session may have another active tenant.
  const path = "/oauth2/consent?disableCookieCache=true";
  return requestAuth(c, deps, path, {
    accept: tenant !== undefined,
    oauth_query: query.raw,
    // Without a list the framework grants all that was asked for.
    ...(tenant !== undefined && scopes.length < query.scopes.length && { scope: scopes.join(" ") }),
  });
}

/** The request and the person who is asked, or the response to send when one of them is missing. */
async function askedOf(c: PageContext, deps: WebDeps, raw: string): Promise<Asked | Response> {
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

/** For a request that was decided already. Consent that was given is stored, so continuing does not ask again. */
const decidedPage = (c: PageContext, query: OAuthQuery) =>
  htmlPage(
    c,
    { title: "You have already answered this request", status: 400 },
    <>
      <p>You can answer each request of an app once. Nothing was changed now.</p>
      <p>
        If the app is still waiting, <a href={restartPath(query, [])}>continue to the app</a>, or start connecting again
        in the app.
      </p>
    </>,
  );

const noMemberPage = (c: PageContext, query: OAuthQuery) =>
  htmlPage(
    c,
    { title: "You are not a member of this organization", status: 403 },
    <p>
      Nothing was granted. <a href={`/consent?${query.raw}`}>Choose another organization</a>.
    </p>,
  );
