import { Hono, type Context } from "hono";
import { cors } from "hono/cors";
import { decodeJwt } from "jose";
import type { VerifyAccessToken } from "../access/credential/access-token.ts";
import { happened, unauthenticated, type ChangedBy } from "../audit/event.ts";
import type { Journal } from "../audit/journal.ts";
import type { Auth } from "../auth/auth.ts";
import { AUTHENTICATE_CLIENT_PATH } from "../grants/clients/authenticated-client.ts";
import { mayRegister, setRedirectUris } from "../grants/clients/clients.ts";
import { stayingConnected } from "./staying-connected.ts";
import { AUTH_PAGES, DECIDE_DEVICE_PATH, WAITING_DEVICE_PATH } from "../identity/pages.ts";
import { isSlug } from "../identity/resources.ts";
import type { SigningKeys } from "../identity/signing-keys.ts";
import { hasEnded, type GrantDeps } from "../grants/revocation.ts";
import { boundedMap } from "../platform/bounded-map.ts";
import type { Config } from "../platform/config.ts";
import type { Db } from "../platform/postgres/db.ts";
import { originOf, sentPath, type HttpEnv } from "../platform/http.ts";
import { reportFailure } from "../http/failure.ts";
import { parseObject } from "../platform/json.ts";
import type { Log } from "../platform/log.ts";
import { cacheable, failureAnswer, oauthError } from "./answers.ts";
import { framework, textOf } from "./framework.ts";
import { introspect } from "./token/introspect.ts";
import { correctedMetadata, protectedResource } from "./metadata.ts";
import { authorizationParameters, deviceParameters } from "./parameters.ts";
import { tokenEndpoint } from "./token/endpoint.ts";
import type { RedeemDeps } from "./token/redeem.ts";
import { asPage, inOAuthTerms } from "./refusal.ts";
import { compatibleRegistration, tooManyRegistrations } from "./registration.ts";
import { revokeToken } from "./token/revoke.ts";

export interface OAuthDeps {
  config: Pick<Config, "BASE_URL" | "BETTER_AUTH_SECRETS" | "CLIENT_REGISTRATION" | "SCOPES">;
  auth: () => Promise<Auth>;
  signingKeys: SigningKeys;
  db: Pick<Db, "execute">;
  grants: GrantDeps & RedeemDeps;
  verifyAccessToken: VerifyAccessToken;
  acceptsLegacyKeys: boolean;
  journal: Pick<Journal, "record">;
  now: () => number;
  log: Log;
}

const AUTH = "/api/auth";
/** Framework endpoints for our own pages and endpoints only. A consent is decided once, and only they ensure that. */
const INNER = [
  "/oauth2/consent",
  "/oauth2/continue",
  AUTHENTICATE_CLIENT_PATH,
  WAITING_DEVICE_PATH,
  DECIDE_DEVICE_PATH,
];
/**
 * The authorization endpoint answers with redirects (RFC 6749 §4.1.2) whatever the user agent sends; Better Auth goes
 * by these headers.
 */
const NAVIGATION = { "sec-fetch-mode": "navigate", accept: "text/html" };
/** Without cookies: a registration never acts for the person who is signed in to the browser that sends it. */
const REGISTRATION = { "content-type": "application/json", cookie: null };
/** Without cookies: a device authorization request acts for nobody. The person who approves it decides on our page. */
const FORM = { "content-type": "application/x-www-form-urlencoded", cookie: null };
const DEVICE_AUTHORIZATION = `${AUTH}/device/code`;
/** Endpoints of clients that predate discovery (MCP 2025-03-26), at the origin and under the MCP endpoint's path. */
const OLD_ENDPOINTS = ["authorize", "token", "register"] as const;
/**
 * What clients in a browser call from other origins. Never the authorization endpoint: browsers navigate to it (RFC
 * 9700 §2.6).
 */
const OPEN_PATHS = [
  "/.well-known/*",
  `${AUTH}/jwks`,
  ...["token", "register", "revoke", "introspect", "userinfo"].map((name) => `${AUTH}/oauth2/${name}`),
  ...["token", "register"].flatMap((name) => [`/${name}`, `/mcp/${name}`]),
];

/** Metadata of the authorization server (RFC 8414, OpenID Connect Discovery): the same for everybody. */
const DISCOVERY = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] as const;

/** Serves what Better Auth does not serve itself. Mounted before Better Auth, which serves the rest of `/api/auth`. */
export function oauth(deps: OAuthDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const origin = deps.config.BASE_URL;
  const ask = framework(deps.config, deps.auth, deps.log);
  const open = cors({
    origin: "*",
    allowMethods: ["GET", "POST"],
    allowHeaders: ["authorization", "content-type", "dpop", "mcp-protocol-version"],
    exposeHeaders: ["www-authenticate", "retry-after", "x-request-id"],
    maxAge: 600,
  });
  for (const path of OPEN_PATHS) app.use(path, open);

  const by = (c: Context<HttpEnv>): ChangedBy => ({
    actor: unauthenticated(originOf(c.get("requestId"), c.req.raw.headers)),
    now: deps.now(),
  });

  const resource = (slug?: string) => cacheable(protectedResource(origin, slug));
  app.get("/.well-known/oauth-protected-resource", () => resource());
  app.get("/.well-known/oauth-protected-resource/mcp", () => resource());
  app.get("/.well-known/oauth-protected-resource/mcp/:slug", (c, next) => {
    const slug = c.req.param("slug");
    return isSlug(slug) ? Promise.resolve(resource(slug)) : next();
  });

  const discovery = boundedMap<string>(DISCOVERY.length);
  for (const path of DISCOVERY) {
    app.get(path, async (c) => {
      const known = discovery.get(path);
      if (known !== undefined) return cacheable(known);
      const answer = await ask(c, path, { search: "" });
      if (!answer.ok) return answer;
      const document = correctedMetadata(await answer.text());
      discovery.set(path, document);
      return cacheable(document);
    });
  }
  app.get(`${AUTH}/jwks`, async (_c, next) => {
    const keys = await deps.signingKeys.publicKeys();
    // Better Auth creates the first key when the key set is requested.
    return keys.length > 0 ? cacheable({ keys }) : next();
  });

  async function authorize(c: Context<HttpEnv>) {
    const isPost = c.req.method === "POST";
    const text = isPost ? await textOf(c) : new URL(c.req.url).search.slice(1);
    const parameters = await stayingConnected(authorizationParameters(text, origin, deps.config.SCOPES), deps);
    const change = isPost ? { body: parameters } : { search: `?${parameters}` };
    return asPage(await ask(c, `${AUTH}/oauth2/authorize`, { ...change, headers: NAVIGATION }), origin);
  }

  async function deviceAuthorization(c: Context<HttpEnv>) {
    const body = deviceParameters(await textOf(c), origin, deps.config.SCOPES);
    if (typeof body !== "string") return oauthError(400, body.error, body.description);
    const sent = await stayingConnected(body, deps);
    return inOAuthTerms(await ask(c, DEVICE_AUTHORIZATION, { body: sent, headers: FORM, search: "" }));
  }

  async function revoke(c: Context<HttpEnv>) {
    const body = await textOf(c);
    const authorization = c.req.header("authorization");
    return revokeToken(deps.grants, { body, authorization, ...by(c) }, (shown) =>
      ask(c, `${AUTH}/oauth2/revoke`, { body: shown }),
    );
  }

  async function introspection(c: Context<HttpEnv>) {
    const presented = { body: await textOf(c), authorization: c.req.header("authorization"), now: deps.now() };
    return introspect({ ...deps, origin }, presented, (form) =>
      ask(c, `${AUTH}${AUTHENTICATE_CLIENT_PATH}`, { body: form, search: "", headers: { cookie: null } }),
    );
  }

  /** The framework checks the signature and the session. Whether the grant has ended is checked here. */
  async function userInformation(c: Context<HttpEnv>) {
    const grantId = unverifiedGrant(c.req.header("authorization"));
    if (grantId !== undefined && (await hasEnded(deps.grants, grantId)))
      return oauthError(401, "invalid_token", "This access token has been revoked.", {
        "www-authenticate": 'Bearer error="invalid_token"',
      });
    return ask(c, `${AUTH}/oauth2/userinfo`);
  }

  async function register(c: Context<HttpEnv>) {
    const request = parseObject(await textOf(c));
    if (request === undefined) return oauthError(400, "invalid_client_metadata", "Send a JSON object (RFC 7591).");
    const compatible = compatibleRegistration(request, deps.config.CLIENT_REGISTRATION);
    if ("error" in compatible) return oauthError(400, compatible.error, compatible.description);
    if (!(await mayRegister({ redis: deps.grants.redis, db: deps.db }, deps.now()))) return tooManyRegistrations();
    const body = JSON.stringify(compatible.body);
    const answer = await inOAuthTerms(await ask(c, `${AUTH}/oauth2/register`, { body, headers: REGISTRATION }));
    const { redirectUris } = compatible;
    if (!answer.ok) return answer;
    const registered = await answer.clone().json<{ client_id: string }>();
    // The framework makes the change, so the audit entry is recorded right after it.
    const { actor, now } = by(c);
    const what = { event: "client.registered", actor, tenantId: null, target: registered.client_id } as const;
    deps.journal.record(happened(what, now));
    if (redirectUris === undefined) return answer;
    await setRedirectUris(deps.db, registered.client_id, redirectUris);
    const headers = { "cache-control": "no-store" };
    return Response.json({ ...registered, redirect_uris: redirectUris }, { status: answer.status, headers });
  }

  const endpoints = { authorize, token: tokenEndpoint(deps, ask, by), register };
  for (const name of OLD_ENDPOINTS) {
    const methods = name === "authorize" ? ["GET", "POST"] : ["POST"];
    for (const path of [`${AUTH}/oauth2/${name}`, `/${name}`, `/mcp/${name}`]) app.on(methods, path, endpoints[name]);
  }
  app.post(DEVICE_AUTHORIZATION, deviceAuthorization);
  app.post(`${AUTH}/oauth2/revoke`, revoke);
  app.post(`${AUTH}/oauth2/introspect`, introspection);
  app.get(`${AUTH}/callback/*`, async (c) => {
    const answer = await ask(c, sentPath(c.req.url));
    // A person returns from an identity provider here, so a failure is a page, not JSON.
    return answer.status < 500 ? answer : c.redirect(`${AUTH_PAGES.error}?error=temporarily_unavailable`);
  });
  app.on(["GET", "POST"], `${AUTH}/oauth2/userinfo`, userInformation);
  for (const path of INNER) app.all(`${AUTH}${path}`, (c) => c.notFound());
  app.all(`${AUTH}/*`, (c) => ask(c, sentPath(c.req.url)));

  app.onError((error, c) => {
    return failureAnswer(reportFailure(deps.log, "oauth", c, error));
  });
  return app;
}

function unverifiedGrant(authorization: string | undefined): string | undefined {
  try {
    const { grant } = decodeJwt(authorization?.split(" ")[1] ?? "");
    return typeof grant === "string" ? grant : undefined;
  } catch {
    return undefined;
  }
}
