import { Hono } from "hono";
import { api, managementRoutes } from "./api/api.ts";
import { routedPath, type HttpEnv } from "./platform/http.ts";
import { reportFailure } from "./http/failure.ts";
import { openApiOf } from "./http/openapi.ts";
import { problemResponse } from "./http/problem.ts";
import type { Declaration } from "./http/route.ts";
import { mcp } from "./mcp/endpoint.ts";
import { oauth } from "./oauth/oauth.ts";
import { uuidv7 } from "./platform/crypto.ts";
import { registryApi, registryRoutes } from "./registry-api/plane.ts";
import type { Services } from "./services.ts";
import { web } from "./web/pages.tsx";

/** Every JSON route, for `/api/v1/openapi.json` and for the tests' authorization matrix. */
export const jsonRoutes: readonly Declaration[] = [...managementRoutes, ...registryRoutes];

/** Builds the app: what every request passes through, and the planes in the order in which they are matched. */
export function createApp(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>({ getPath: routedPath });
  const { BASE_URL } = services.config;
  const secure = BASE_URL.startsWith("https:");

  app.use(async (c, next) => {
    c.set("requestId", uuidv7());
    await next();
    c.header("x-request-id", c.get("requestId"));
    c.header("x-content-type-options", "nosniff");
    if (secure) c.header("strict-transport-security", "max-age=31536000; includeSubDomains");
  });

  app.route("/", oauth({ ...services, db: services.db }));
  app.route("/", mcp(services));
  app.route("/", registryApi(services));
  app.route("/", api({ ...services, openApi: openApiOf(jsonRoutes, { version: services.version, server: BASE_URL }) }));
  app.route("/", web(services));

  app.notFound((c) => problemResponse("not_found", "There is nothing at this address.", c.get("requestId")));
  app.onError((error, c) => {
    const { code, text, headers, members } = reportFailure(services.log, "request", c, error);
    return problemResponse(code, text, c.get("requestId"), { headers, members });
  });
  return app;
}
