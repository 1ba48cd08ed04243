import { Hono, type Context } from "hono";
import * as z from "zod";
import { authenticate } from "../access/authenticate.ts";
import { readCredential } from "../access/credential.ts";
import { dpopChallenge, WRONG_SCHEME } from "../access/dpop-challenge.ts";
import { missingScopes, type Principal } from "../access/principal.ts";
import type { AccessRefusal } from "../access/refusal.ts";
import { isAdministrator } from "../auth/administrators.ts";
import { resourceOf } from "../auth/resources.ts";
import { isScope } from "../auth/scopes.ts";
import { AppError } from "../platform/errors.ts";
import type { HttpEnv } from "../platform/http.ts";
import { mountRoutes, openApiDocument, type Route } from "../platform/route.ts";
import { listAudit } from "./audit.ts";
import {
  changeManagedClient,
  createManagedClient,
  deleteManagedClient,
  getManagedClient,
  listManagedClients,
  rotateManagedClientSecret,
} from "./clients.ts";
import { route, type ApiDeps } from "./deps.ts";
import { healthz, readyz, version } from "./health.ts";
import { listServers } from "./servers.ts";

const openApi = route({
  method: "get",
  path: "/api/v1/openapi.json",
  summary: "This description",
  who: "anyone",
  out: z.record(z.string(), z.unknown()),
  handle: ({ deps }) =>
    openApiDocument(routes, { title: "MCP Registry Gateway", version: deps.version, server: deps.config.BASE_URL }),
});

/** Every JSON route of this plane; the authorization matrix of the tests is made from this list. */
export const routes: readonly Route<ApiDeps, Principal>[] = [
  healthz,
  readyz,
  version,
  openApi,
  listAudit,
  listServers,
  createManagedClient,
  listManagedClients,
  getManagedClient,
  changeManagedClient,
  deleteManagedClient,
  rotateManagedClientSecret,
];

/** The management plane: health and `/api/v1`. */
export function api(deps: ApiDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  mountRoutes(app, routes, deps, (c, scopes) => principalOf(c, deps, scopes));
  return app;
}

/** Takes the same credentials as `/mcp` (R8). */
async function principalOf(c: Context<HttpEnv>, deps: ApiDeps, scopes: readonly string[]): Promise<Principal> {
  const url = new URL(c.req.url);
  const presented = readCredential(
    {
      authorization: c.req.header("authorization"),
      apiKey: c.req.header("x-api-key"),
      proof: { jwt: c.req.header("dpop"), method: c.req.method, url: `${deps.config.BASE_URL}${url.pathname}` },
    },
    url.searchParams,
  );
  if ("refusal" in presented) throw toError(presented.refusal);
  const authenticated = await authenticate(deps, presented, resourceOf(deps.config.BASE_URL), deps.now());
  if ("refusal" in authenticated) {
    deps.log("info", "api.refused", { requestId: c.get("requestId"), kind: authenticated.refusal.kind });
    throw toError(authenticated.refusal);
  }
  const required = scopes.filter(isScope);
  if (missingScopes(authenticated.principal, required).length > 0)
    throw toError({ kind: "insufficient_scope", required });
  // The scope says that somebody was an administrator; only the role says that they are.
  if (required.includes("admin") && !(await isAdministrator(deps.databases.write, authenticated.principal.userId)))
    throw new AppError("forbidden", "This is for administrators of this gateway.");
  return authenticated.principal;
}

function toError(refusal: AccessRefusal): AppError {
  switch (refusal.kind) {
    case "no_credential":
      return new AppError("unauthenticated", "Send an API key in the x-api-key header, or a bearer access token.", {
        headers: { "www-authenticate": "Bearer" },
      });
    case "several_credentials":
      return new AppError(
        "invalid_request",
        "Send exactly one credential: an Authorization header or an x-api-key header.",
      );
    case "credential_in_url":
      return new AppError("invalid_request", "Credentials in the URL are not accepted: send them in a header.");
    case "invalid_credential":
      return new AppError(
        "invalid_credential",
        "This credential is not valid: mistyped, expired, disabled or revoked.",
        {
          headers: {
            "www-authenticate":
              refusal.scheme === undefined ? 'Bearer error="invalid_token"' : dpopChallenge("invalid_token"),
          },
        },
      );
    case "wrong_token_scheme":
      return new AppError("invalid_credential", WRONG_SCHEME[refusal.presented], {
        headers: { "www-authenticate": dpopChallenge("invalid_token") },
      });
    case "invalid_dpop_proof":
      return new AppError("invalid_credential", refusal.problem, {
        headers: { "www-authenticate": dpopChallenge("invalid_dpop_proof") },
      });
    case "insufficient_scope":
      return new AppError("insufficient_scope", `This needs the scope ${refusal.required.join(" ")}.`, {
        headers: { "www-authenticate": `Bearer error="insufficient_scope", scope="${refusal.required.join(" ")}"` },
      });
    default:
      return refusal satisfies never;
  }
}
