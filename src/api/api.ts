import { Hono } from "hono";
import * as z from "zod";
import type { Principal } from "../access/principal.ts";
import type { HttpEnv } from "../platform/http.ts";
import { mountRoutes, openApiDocument, type Route } from "../platform/route.ts";
import { registryMemory } from "../registry/answer-cache.ts";
import { listAudit } from "./audit.ts";
import { principalOf } from "./caller.ts";
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
import { registry } from "./registry.ts";
import {
  assignRegistryNamespace,
  claimRegistryNamespace,
  listRegistryNamespaces,
  releaseRegistryNamespace,
  verifyRegistryNamespace,
} from "./registry-namespaces.ts";
import { copilotPolicy, vscodePolicy } from "./registry-policies.ts";
import { searchRegistry } from "./registry-search.ts";
import {
  changeRegistrySource,
  createRegistrySource,
  deleteRegistrySource,
  listRegistrySources,
  runRegistrySource,
} from "./registry-sources.ts";
import { createView, deleteView, listViews, rotateView } from "./registry-views.ts";
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
  listRegistryNamespaces,
  claimRegistryNamespace,
  verifyRegistryNamespace,
  assignRegistryNamespace,
  releaseRegistryNamespace,
  searchRegistry,
  listViews,
  createView,
  rotateView,
  deleteView,
  listRegistrySources,
  createRegistrySource,
  changeRegistrySource,
  deleteRegistrySource,
  runRegistrySource,
  copilotPolicy,
  vscodePolicy,
];

/** The management plane: health and `/api/v1`, and the MCP registry. */
export function api(services: Omit<ApiDeps, "published">): Hono<HttpEnv> {
  const deps: ApiDeps = { ...services, published: registryMemory() };
  const app = new Hono<HttpEnv>();
  mountRoutes(app, routes, deps, (c, scopes) => principalOf(c, deps, scopes));
  app.route("/", registry(deps));
  return app;
}
