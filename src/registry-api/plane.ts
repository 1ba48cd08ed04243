import { Hono, type Context } from "hono";
import { principalOf } from "../http/caller.ts";
import { sentPath, type HttpEnv } from "../platform/http.ts";
import { mountRoutes, honoPath, type Authenticate } from "../http/mount.ts";
import { localBuckets } from "../limits/local.ts";
import { AppError } from "../platform/errors.ts";
import { tokenByDns, tokenByGithub, tokenByHttp, tokenByWorkflow, tokenForNothing } from "./auth.ts";
import type { PlaneDeps, RegistryApiDeps } from "./deps.ts";
import { registryHealth, registryPing, registryVersion } from "./health.ts";
import { authorOf } from "./publisher.ts";
import { readRoutes } from "./read.ts";
import { readers } from "./readers.ts";
import { inEachVersion, VERSIONS, type RegistryCaller, type RegistryRoute } from "./route.ts";
import { changeServerStatus, changeVersionStatus } from "./status.ts";
import { publishServer, validateServer } from "./write.ts";

const otherRoutes: readonly RegistryRoute[] = [
  registryHealth,
  registryPing,
  registryVersion,
  validateServer,
  publishServer,
  changeServerStatus,
  changeVersionStatus,
  tokenForNothing,
  tokenByDns,
  tokenByHttp,
  tokenByGithub,
  tokenByWorkflow,
].flatMap(inEachVersion);

/** All routes of the MCP Registry API. The authorization matrix of the tests is generated from this list. */
export const registryRoutes: readonly RegistryRoute[] = [...readRoutes, ...otherRoutes];

/** The paths of the MCP Registry API, and of private views. */
const AREAS = ["/v0.1/*", "/v0/*", "/r/*"];

const READS = new Set(["GET", "HEAD"]);
const BESIDE_GET = ["HEAD", "OPTIONS"];
const DAY_SECONDS = "86400";
const MAX_BUCKETS = 20_000;

/**
 * The MCP Registry API (v0.1, OpenAPI document 2025-12-01). A server's name with its slash is one path segment
 * (`com.example%2Fweather`): Hono matches routes before it decodes.
 */
export function registryApi(services: RegistryApiDeps): Hono<HttpEnv> {
  const deps: PlaneDeps = { ...services, publishing: localBuckets(MAX_BUCKETS) };
  const app = new Hono<HttpEnv>();
  for (const area of AREAS) {
    app.use(area, async (c, next) => {
      await next();
      if (c.res.headers.get("content-type") === "application/problem+json") c.res = await withError(c.res);
      if (READS.has(c.req.method)) c.header("access-control-allow-origin", "*");
    });
    app.use(area, async (c, next) => {
      const { pathname, search } = new URL(c.req.url);
      if (c.req.method === "OPTIONS") return preflight();
      if (pathname.endsWith("/")) return c.redirect(`${sentPath(c.req.url)}${search}`, 308);
      if (`${pathname}${search}`.includes("%00"))
        throw new AppError("invalid_request", "The URL must not contain a NUL character.");
      await next();
      if (!READS.has(c.req.method) && c.res.ok) deps.published.answers.expire(deps.now());
      return undefined;
    });
  }
  for (const { root } of VERSIONS)
    app.on(["PUT", "DELETE"], honoPath(`${root}/servers/{serverName}/versions/{version}`), never);
  const authenticate = authenticator(deps);
  mountRoutes(app, readRoutes, deps, authenticate, BESIDE_GET);
  mountRoutes(app, otherRoutes, deps, authenticate);
  return app;
}

const never = () => {
  throw new AppError(
    "not_implemented",
    "A published version is never changed or removed. Publish another version, or PATCH its status to deprecated or deleted.",
  );
};

function authenticator(deps: PlaneDeps): Authenticate<RegistryCaller> {
  const { byCredential, bySecret } = readers(deps);
  return async (c: Context<HttpEnv>, who, scopes) => {
    if (who === "view") return bySecret(c);
    if (who === "administrator" || "scopes" in who) return principalOf(c, deps, scopes);
    return "optional" in who ? byCredential(c, scopes) : authorOf(c, deps, scopes);
  };
}

const preflight = () =>
  new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET, OPTIONS",
      "access-control-allow-headers": "Authorization, Content-Type",
      "access-control-max-age": DAY_SECONDS,
    },
  });

/** Adds `error`, which `mcp-publisher` and other tools read, to problem details. */
async function withError(response: Response): Promise<Response> {
  const problem = await response.json<{ detail: string }>();
  return new Response(JSON.stringify({ ...problem, error: problem.detail }), response);
}
