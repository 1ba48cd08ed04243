import { Hono, type Context } from "hono";
import { cors } from "hono/cors";
import type { Auth } from "../auth/auth.ts";
import { setRedirectUris } from "../auth/clients.ts";
import type { TakenCode } from "../auth/codes.ts";
import { GRANT_HEADER } from "../auth/grant-claim.ts";
import { isSlug } from "../auth/resources.ts";
import type { SigningKeys } from "../auth/signing-keys.ts";
import { runTokenRequest } from "../auth/token-request.ts";
import type { GrantDeps } from "../grants/revocation.ts";
import type { Config } from "../platform/config.ts";
import type { Db } from "../platform/db.ts";
import type { HttpEnv } from "../platform/http.ts";
import { errorFields, type Log } from "../platform/log.ts";
import { cacheable, failure, oauthError } from "./answers.ts";
import { framework, textOf } from "./framework.ts";
import { protectedResource } from "./metadata.ts";
import { authorizationParameters, hasRepeated, tokenParameters } from "./parameters.ts";
import { redeem, type RedeemDeps } from "./redeem.ts";
import { refresh } from "./refresh.ts";
import { inOAuthTerms } from "./refusal.ts";
import { compatibleRegistration } from "./registration.ts";
import { revokeToken } from "./revoke.ts";

export interface OAuthDeps {
  config: Pick<Config, "BASE_URL" | "CLIENT_REGISTRATION" | "SCOPES">;
  auth: () => Promise<Auth>;
  signingKeys: SigningKeys;
  db: Pick<Db, "execute">;
  grants: GrantDeps & RedeemDeps;
  log: Log;
}

const AUTH = "/api/auth";
/** The authorization endpoint answers with redirects (RFC 6749 §4.1.2), whatever the agent says of itself; Better Auth tells by these. */
const NAVIGATION = { "sec-fetch-mode": "navigate", accept: "text/html" };
/** A registration never happens in the name of whoever is signed in to the browser that it comes from. */
const REGISTRATION = { "content-type": "application/json", cookie: null };
/** Endpoints of clients that predate discovery (MCP 2025-03-26), at the origin and under the MCP endpoint's path. */
const OLD_ENDPOINTS = ["authorize", "token", "register"] as const;
/** What clients in a browser ask from other origins; never the authorization endpoint, which they are sent to (RFC 9700 §2.6). */
const OPEN_PATHS = [
  "/.well-known/*",
  `${AUTH}/jwks`,
  ...["token", "register", "revoke", "introspect", "userinfo"].map((name) => `${AUTH}/oauth2/${name}`),
  ...["token", "register"].flatMap((name) => [`/${name}`, `/mcp/${name}`]),
];

/** What Better Auth does not serve itself, in front of Better Auth, which serves the rest of `/api/auth`. */
export function oauth(deps: OAuthDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const origin = deps.config.BASE_URL;
  const ask = framework(origin, deps.auth, deps.log);
  const open = cors({
    origin: "*",
    allowMethods: ["GET", "POST"],
    allowHeaders: ["authorization", "content-type", "mcp-protocol-version"],
    exposeHeaders: ["www-authenticate", "retry-after", "x-request-id"],
    maxAge: 600,
  });
  for (const path of OPEN_PATHS) app.use(path, open);

  const resource = (slug?: string) => cacheable(protectedResource(origin, slug));
  app.get("/.well-known/oauth-protected-resource", () => resource());
  app.get("/.well-known/oauth-protected-resource/mcp", () => resource());
  app.get("/.well-known/oauth-protected-resource/mcp/:slug", (c, next) => {
    const slug = c.req.param("slug");
    return isSlug(slug) ? Promise.resolve(resource(slug)) : next();
  });

  const discovery = new Map<string, string>();
  for (const path of ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]) {
    app.get(path, async (c) => {
      const known = discovery.get(path);
      if (known !== undefined) return cacheable(known);
      const answer = await ask(c, path, { search: "" });
      if (!answer.ok) return answer;
      const document = await answer.text();
      discovery.set(path, document);
      return cacheable(document);
    });
  }
  app.get(`${AUTH}/jwks`, async (_c, next) => {
    const keys = await deps.signingKeys.publicKeys();
    // Better Auth makes the first key when somebody asks for it.
    return keys.length > 0 ? cacheable({ keys }) : next();
  });

  async function authorize(c: Context<HttpEnv>) {
    const isPost = c.req.method === "POST";
    const text = isPost ? await textOf(c) : new URL(c.req.url).search.slice(1);
    const parameters = authorizationParameters(text, origin, deps.config.SCOPES);
    const change = isPost ? { body: parameters } : { search: `?${parameters}` };
    return ask(c, `${AUTH}/oauth2/authorize`, { ...change, headers: NAVIGATION });
  }

  async function token(c: Context<HttpEnv>) {
    const body = tokenParameters(await textOf(c), origin);
    const form = new URLSearchParams(body);
    const path = `${AUTH}/oauth2/token`;
    if (hasRepeated(form)) return oauthError(400, "invalid_request", "Give each parameter once (RFC 6749 §3.2).");
    const exchange = async (code?: TakenCode, headers = {}) =>
      inOAuthTerms(await runTokenRequest(code, () => ask(c, path, { body, headers })));
    if (form.get("grant_type") === "authorization_code") return redeem(deps.grants, form.get("code"), exchange);
    if (form.get("grant_type") !== "refresh_token") return exchange();
    return refresh(deps.grants, { form, authorization: c.req.header("authorization") }, (grantId) =>
      exchange(undefined, grantId === null ? {} : { [GRANT_HEADER]: grantId }),
    );
  }

  async function revoke(c: Context<HttpEnv>) {
    const body = await textOf(c);
    const authorization = c.req.header("authorization");
    return revokeToken(deps.grants, { body, authorization }, (shown) =>
      ask(c, `${AUTH}/oauth2/revoke`, { body: shown }),
    );
  }

  async function register(c: Context<HttpEnv>) {
    const request = parseObject(await textOf(c));
    if (request === undefined) return oauthError(400, "invalid_client_metadata", "Send a JSON object (RFC 7591).");
    const compatible = compatibleRegistration(request, deps.config.CLIENT_REGISTRATION);
    if ("error" in compatible) return oauthError(400, compatible.error, compatible.description);
    const body = JSON.stringify(compatible.body);
    const answer = await inOAuthTerms(await ask(c, `${AUTH}/oauth2/register`, { body, headers: REGISTRATION }));
    const { redirectUris } = compatible;
    if (!answer.ok || redirectUris === undefined) return answer;
    const registered = await answer.json<{ client_id: string }>();
    await setRedirectUris(deps.db, registered.client_id, redirectUris);
    const headers = { "cache-control": "no-store" };
    return Response.json({ ...registered, redirect_uris: redirectUris }, { status: answer.status, headers });
  }

  const endpoints = { authorize, token, register };
  for (const name of OLD_ENDPOINTS) {
    const methods = name === "authorize" ? ["GET", "POST"] : ["POST"];
    for (const path of [`${AUTH}/oauth2/${name}`, `/${name}`, `/mcp/${name}`]) app.on(methods, path, endpoints[name]);
  }
  app.post(`${AUTH}/oauth2/revoke`, revoke);
  app.all(`${AUTH}/*`, (c) => ask(c, new URL(c.req.url).pathname));

  app.onError((error, c) => {
    deps.log("error", "oauth.failed", { requestId: c.get("requestId"), path: c.req.path, ...errorFields(error) });
    return failure(error);
  });
  return app;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
