import { Hono, type Context } from "hono";
import { AppError, isUnavailable, problemResponse } from "../platform/errors.ts";
import type { HttpEnv } from "../platform/http.ts";
import { errorFields } from "../platform/log.ts";
import type { ApiDeps } from "./deps.ts";
import { readRoutes, READ_PATHS } from "./registry-read.ts";
import { writeRoutes } from "./registry-write.ts";

/** Where the MCP Registry API is (`v0` is its older name, which `mcp-publisher` uses), and the addresses below which private views are. */
const AREAS = ["/v0.1/*", "/v0/*", "/r/*"];

const READS = new Set(["GET", "HEAD"]);
const DAY_SECONDS = "86400";

/**
 * The MCP Registry API (v0.1, OpenAPI document 2025-12-01). A name with its slash is one segment of a path (`com.example%2Fweather`);
 * Hono matches before it decodes.
 */
export function registry(deps: ApiDeps): Hono<HttpEnv> {
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
      if (pathname.endsWith("/")) return c.redirect(`${pathname.replace(/\/+$/, "")}${search}`, 308);
      if (`${pathname}${search}`.includes("%00"))
        throw new AppError("invalid_request", "A NUL character has no place in a URL.");
      await next();
      if (!READS.has(c.req.method) && c.res.ok) deps.published.answers.expire(deps.now());
      return undefined;
    });
  }
  readRoutes(app, deps);
  writeRoutes(app, deps);
  for (const path of READ_PATHS) {
    app.all(path, () => {
      throw new AppError("method_not_allowed", "Use GET.", { headers: { allow: "GET, HEAD, OPTIONS" } });
    });
  }
  app.onError((error, c) => failed(deps, error, c));
  return app;
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

/** `mcp-publisher` and others read `error`; the rest is as everywhere in this gateway. */
async function withError(response: Response): Promise<Response> {
  const problem = await response.json<{ detail: string }>();
  return new Response(JSON.stringify({ ...problem, error: problem.detail }), response);
}

/** As for the whole gateway, but that no address goes into the log: the secret of a private view is part of it. */
function failed({ log }: ApiDeps, error: unknown, c: Context<HttpEnv>): Response {
  const requestId = c.get("requestId");
  if (isUnavailable(error)) {
    log("error", "registry.unavailable", { requestId, ...errorFields(error) });
    return problemResponse("unavailable", "The registry cannot answer right now. Try again shortly.", requestId, {
      "retry-after": "2",
    });
  }
  if (error instanceof AppError) {
    if (error.internal !== undefined) log("warn", "registry.refused", { requestId, internal: error.internal });
    return problemResponse(error.code, error.message, requestId, error.headers);
  }
  log("error", "registry.failed", { requestId, ...errorFields(error) });
  return problemResponse(
    "internal",
    "The gateway failed to answer. Its operator finds the cause by the request id.",
    requestId,
  );
}
