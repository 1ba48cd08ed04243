import { Hono, type Context } from "hono";
import { cors } from "hono/cors";
import { setRedirectUris } from "../auth/clients.ts";
import type { Auth } from "../auth/auth.ts";
import { canonicalResource, isSlug } from "../auth/resources.ts";
import type { SigningKeys } from "../auth/signing-keys.ts";
import type { Config } from "../platform/config.ts";
import type { Db } from "../platform/db.ts";
import { isUnavailable } from "../platform/errors.ts";
import type { HttpEnv } from "../platform/http.ts";
import { errorFields, type Log } from "../platform/log.ts";
import { protectedResource } from "./metadata.ts";
import { compatibleRegistration } from "./registration.ts";

export interface OAuthDeps {
  config: Pick<Config, "BASE_URL" | "CLIENT_REGISTRATION">;
  auth: () => Promise<Auth>;
  signingKeys: SigningKeys;
  db: Pick<Db, "execute">;
  log: Log;
}

const AUTH = "/api/auth";
const METADATA_SECONDS = 300;
const MAX_BODY_BYTES = 65_536;
/** The authorization endpoint answers with redirects (RFC 6749 §4.1.2), whatever the agent says of itself; Better Auth tells by these. */
const NAVIGATION = { "sec-fetch-mode": "navigate", accept: "text/html" };
/** Endpoints of clients that predate discovery (MCP 2025-03-26), at the origin and under the MCP endpoint's path. */
const OLD_ENDPOINTS = ["authorize", "token", "register"] as const;

/** What Better Auth does not serve itself, in front of Better Auth, which serves the rest of `/api/auth`. */
export function oauth(deps: OAuthDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const origin = deps.config.BASE_URL;
  const discovery = new Map<string, string>();

  const open = cors({
    origin: "*",
    allowMethods: ["GET", "POST"],
    allowHeaders: ["authorization", "content-type", "mcp-protocol-version"],
    exposeHeaders: ["www-authenticate", "retry-after", "x-request-id"],
    maxAge: 600,
  });
  for (const path of [
    "/.well-known/*",
    ...["token", "register", "revoke", "introspect", "userinfo"].map((name) => `${AUTH}/oauth2/${name}`),
    `${AUTH}/jwks`,
    ...OLD_ENDPOINTS.flatMap((name) => [`/${name}`, `/mcp/${name}`]),
  ]) {
    app.use(path, open);
  }

  const resource = (slug?: string) => cacheable(protectedResource(origin, slug));
  app.get("/.well-known/oauth-protected-resource", () => resource());
  app.get("/.well-known/oauth-protected-resource/mcp", () => resource());
  app.get("/.well-known/oauth-protected-resource/mcp/:slug", (c, next) => {
    const slug = c.req.param("slug");
    return isSlug(slug) ? Promise.resolve(resource(slug)) : next();
  });

  for (const path of ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]) {
    app.get(path, async (c) => {
      const known = discovery.get(path);
      if (known !== undefined) return cacheable(known);
      const answer = await (
        await deps.auth()
      ).handler(new Request(`${origin}${path}`, { headers: forwardedHeaders(c) }));
      const body = await answer.text();
      if (answer.ok) discovery.set(path, body);
      return answer.ok ? cacheable(body) : new Response(body, { status: answer.status });
    });
  }
  app.get(`${AUTH}/jwks`, async (_c, next) => {
    const keys = await deps.signingKeys.publicKeys();
    // Better Auth makes the first key when somebody asks for it.
    return keys.length > 0 ? cacheable({ keys }) : next();
  });

  async function handle(
    c: Context<HttpEnv>,
    path: string,
    change: { search?: string; body?: string; headers?: Readonly<Record<string, string>> } = {},
  ) {
    const headers = forwardedHeaders(c);
    for (const [name, value] of Object.entries(change.headers ?? {})) headers.set(name, value);
    const method = c.req.method;
    const hasBody = method !== "GET" && method !== "HEAD";
    const body = hasBody ? (change.body ?? (await c.req.text())) : null;
    const search = change.search ?? new URL(c.req.url).search;
    const request = new Request(`${origin}${path}${search}`, { method, headers, body, redirect: "manual" });
    return withoutSurprises(await (await deps.auth()).handler(request));
  }

  async function authorize(c: Context<HttpEnv>) {
    const path = `${AUTH}/oauth2/authorize`;
    if (c.req.method === "POST")
      return handle(c, path, { body: withCanonicalResource(await c.req.text(), origin, true), headers: NAVIGATION });
    const query = new URL(c.req.url).search.slice(1);
    return handle(c, path, { search: `?${withCanonicalResource(query, origin, true)}`, headers: NAVIGATION });
  }

  async function token(c: Context<HttpEnv>) {
    return handle(c, `${AUTH}/oauth2/token`, { body: withCanonicalResource(await c.req.text(), origin, false) });
  }

  async function register(c: Context<HttpEnv>) {
    const text = await c.req.text();
    if (text.length > MAX_BODY_BYTES)
      return oauthError(413, "invalid_client_metadata", "The registration is too large.");
    const request = parseObject(text);
    if (request === undefined) return oauthError(400, "invalid_client_metadata", "Send a JSON object (RFC 7591).");
    const compatible = compatibleRegistration(request, deps.config.CLIENT_REGISTRATION);
    if ("error" in compatible) return oauthError(400, compatible.error, compatible.description);
    const answer = await handle(c, `${AUTH}/oauth2/register`, {
      body: JSON.stringify(compatible.body),
      headers: { "content-type": "application/json" },
    });
    const { redirectUris } = compatible;
    if (!answer.ok || redirectUris === undefined) return answer;
    const registered = await answer.json<{ client_id: string }>();
    await setRedirectUris(deps.db, registered.client_id, redirectUris);
    return Response.json(
      { ...registered, redirect_uris: redirectUris },
      { status: answer.status, headers: { "cache-control": "no-store" } },
    );
  }

  const endpoints = { authorize, token, register };
  for (const name of OLD_ENDPOINTS) {
    const methods = name === "authorize" ? ["GET", "POST"] : ["POST"];
    for (const path of [`${AUTH}/oauth2/${name}`, `/${name}`, `/mcp/${name}`]) app.on(methods, path, endpoints[name]);
  }
  app.all(`${AUTH}/*`, (c) => handle(c, new URL(c.req.url).pathname));

  app.onError((error, c) => {
    deps.log("error", "oauth.failed", { requestId: c.get("requestId"), path: c.req.path, ...errorFields(error) });
    if (!isUnavailable(error)) {
      return oauthError(
        500,
        "server_error",
        "The gateway failed to answer. Its operator finds the cause by the request id.",
      );
    }
    const answer = oauthError(
      503,
      "temporarily_unavailable",
      "The gateway cannot answer right now. Try again shortly.",
    );
    answer.headers.set("retry-after", "2");
    return answer;
  });
  return app;
}

/** Headers of the caller without hop-by-hop ones and those that describe a body which may change. */
function forwardedHeaders(c: Context<HttpEnv>): Headers {
  const headers = new Headers(c.req.raw.headers);
  for (const name of ["content-length", "transfer-encoding", "connection", "host"]) headers.delete(name);
  return headers;
}

/** `resource` of a form or query in its canonical form; added when absent and `always`, so that every token is bound to a resource. */
function withCanonicalResource(form: string, origin: string, always: boolean): string {
  const parameters = new URLSearchParams(form);
  const named = parameters.getAll("resource");
  if (named.length === 0 && !always) return form;
  const canonical = (named.length === 0 ? [undefined] : named).map((resource) => canonicalResource(resource, origin));
  if (named.length === canonical.length && named.every((resource, index) => resource === canonical[index])) return form;
  parameters.delete("resource");
  for (const resource of canonical) parameters.append("resource", resource);
  return parameters.toString();
}

/** Better Auth says when to retry in a header of its own; a redirect is nothing to cache either. */
function withoutSurprises(answer: Response): Response {
  const response = new Response(answer.body, answer);
  const retryAfter = response.headers.get("x-retry-after");
  if (retryAfter !== null) response.headers.set("retry-after", retryAfter);
  if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store");
  return response;
}

function cacheable(body: Record<string, unknown> | string): Response {
  return new Response(typeof body === "string" ? body : JSON.stringify(body), {
    headers: { "content-type": "application/json", "cache-control": `public, max-age=${METADATA_SECONDS}` },
  });
}

function oauthError(status: number, error: string, description: string): Response {
  return Response.json({ error, error_description: description }, { status, headers: { "cache-control": "no-store" } });
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
