import { Hono } from "hono";
import * as z from "zod";
import type { Principal } from "../access/principal.ts";
import type { HttpEnv } from "../platform/http.ts";
import { mountRoutes } from "../http/mount.ts";
import type { Route } from "../http/route.ts";
import { listAudit } from "./audit.ts";
import { principalOf } from "../http/caller.ts";
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
import {
  assignRegistryNamespace,
  requestRegistryNamespace,
  listRegistryNamespaces,
  releaseRegistryNamespace,
  verifyRegistryNamespace,
} from "./registry/namespaces.ts";
import { copilotPolicy, vscodePolicy } from "./registry/policies.ts";
import { searchRegistry } from "./registry/search.ts";
import {
  changeRegistrySource,
  createRegistrySource,
  deleteRegistrySource,
  listRegistrySources,
  runRegistrySource,
} from "./registry/sources.ts";
import { createView, deleteView, listViews, rotateView } from "./registry/views.ts";
import { listServers } from "./servers.ts";
import { verifyApiKey } from "./verify.ts";

const openApi = route({
  method: "get",
  path: "/api/v1/openapi.json",
  id: "getOpenApi",
  tag: "Health",
  summary: "Get this OpenAPI document",
  who: "anyone",
  out: z.record(z.string(), z.unknown()).describe("An OpenAPI 3.1 document."),
  handle: ({ deps }) => deps.openApi(),
});

/** All JSON routes of this plane. The authorization matrix of the tests is generated from this list. */
export const managementRoutes: readonly Route<ApiDeps, Principal>[] = [
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
  requestRegistryNamespace,
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

/** The management plane: health and `/api/v1`. */
export function api(deps: ApiDeps): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  mountRoutes(app, managementRoutes, deps, (c, _who, scopes) => principalOf(c, deps, scopes));
  return app;
}
