import { Hono, type Context } from "hono";
import * as z from "zod";
import { authenticate } from "../access/authenticate.ts";
import { readCredential } from "../access/credential.ts";
import type { Principal } from "../access/principal.ts";
import type { AccessRefusal } from "../access/refusal.ts";
import { isAdministrator } from "../auth/administrators.ts";
import { resourceOf } from "../auth/resources.ts";
import { isScope } from "../auth/scopes.ts";
import { clientAddress, type HttpEnv } from "../platform/http.ts";
import { uuidv7 } from "../platform/ids.ts";
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
import {
  changeApiKey,
  createApiKey,
  deleteApiKey,
  getApiKey,
  listApiKeys,
  reportApiKeyLeak,
  revokeApiKey,
  rotateApiKey,
} from "./keys.ts";
import { deleteTenantLimits, getLimits, getTenantLimits, putTenantLimits } from "./limits.ts";
import { notAdministrator, toError } from "./refusal.ts";
import { listServers } from "./servers.ts";
import { verifyApiKey } from "./verify.ts";

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
  listApiKeys,
  createApiKey,
  reportApiKeyLeak,
  verifyApiKey,
  getApiKey,
  changeApiKey,
  deleteApiKey,
  rotateApiKey,
  revokeApiKey,
  createManagedClient,
  listManagedClients,
  getManagedClient,
  changeManagedClient,
  deleteManagedClient,
  rotateManagedClientSecret,
  getLimits,
  getTenantLimits,
  putTenantLimits,
  deleteTenantLimits,
];

/** The management plane: health and `/api/v1`. */
export function api(deps: ApiDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  mountRoutes(app, routes, deps, (c, scopes) => principalOf(c, deps, scopes));
  return app;
}

/** Takes the same credentials as `/mcp`, with the same limits (R8). */
async function principalOf(c: Context<HttpEnv>, deps: ApiDeps, scopes: readonly string[]): Promise<Principal> {
  const url = new URL(c.req.url);
  const now = deps.now();
  const address = clientAddress(c.req.raw.headers);
  const refuse = (refusal: AccessRefusal) => {
    deps.log("info", "api.refused", { requestId: c.get("requestId"), kind: refusal.kind });
    return toError(refusal);
  };
  const presented = readCredential(
    {
      authorization: c.req.header("authorization"),
      apiKey: c.req.header("x-api-key"),
      proof: { jwt: c.req.header("dpop"), method: c.req.method, url: `${deps.config.BASE_URL}${url.pathname}` },
    },
    url.searchParams,
  );
  if ("refusal" in presented) throw toError(presented.refusal);
  const resource = resourceOf(deps.config.BASE_URL);
  const authenticated = await authenticate(deps, presented, { resource, address }, now);
  if ("refusal" in authenticated) throw refuse(authenticated.refusal);
  const required = scopes.filter(isScope);
  const wanted = { address, scopes: required, server: null, tool: null, beyondTools: false };
  const admission = await deps.admit(authenticated.claim, { eventId: uuidv7(now), wanted, isHarmless: false }, now);
  if ("refusal" in admission) {
    if (!admission.principal) deps.strangers.failed(address, now);
    throw refuse(admission.refusal);
  }
  const { principal, used } = admission.admitted;
  if (used) deps.journal.used(used);
  // Asked again where it is kept: a role that was changed past this gateway counts at once here.
  if (required.includes("admin") && !(await isAdministrator(deps.databases.write, principal.userId)))
    throw notAdministrator();
  return principal;
}
