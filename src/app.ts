import { Hono } from "hono";
import { api } from "./api/api.ts";
import { mcp } from "./mcp/endpoint.ts";
import { oauth } from "./oauth/oauth.ts";
import { AppError, isUnavailable, problemResponse } from "./platform/errors.ts";
import type { HttpEnv } from "./platform/http.ts";
import { uuidv7 } from "./platform/ids.ts";
import { errorFields } from "./platform/log.ts";
import type { Services } from "./services.ts";
import { web } from "./web/pages.tsx";

/** The table of contents: what every request passes through, and which plane answers it. */
export function createApp(services: Services): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>();
  const secure = services.config.BASE_URL.startsWith("https:");

  app.use(async (c, next) => {
    c.set("requestId", uuidv7());
    await next();
    c.header("x-request-id", c.get("requestId"));
    c.header("x-content-type-options", "nosniff");
    if (secure) c.header("strict-transport-security", "max-age=31536000; includeSubDomains");
  });

  app.route("/", oauth({ ...services, db: services.db }));
  app.route("/", mcp(services));
  app.route("/", api(services));
  app.route("/", web(services));

  app.notFound((c) => problemResponse("not_found", "There is nothing at this address.", c.get("requestId")));
  app.onError((error, c) => {
    const requestId = c.get("requestId");
    if (isUnavailable(error)) {
      services.log("error", "request.unavailable", { requestId, path: c.req.path, ...errorFields(error) });
      return problemResponse("unavailable", "The gateway cannot do this right now. Try again shortly.", requestId, {
        "retry-after": "2",
      });
    }
    if (error instanceof AppError) {
      if (error.internal !== undefined)
        services.log("warn", "request.refused", { requestId, internal: error.internal });
      return problemResponse(error.code, error.message, requestId, error.headers);
    }
    services.log("error", "request.failed", { requestId, path: c.req.path, ...errorFields(error) });
    return problemResponse(
      "internal",
      "The gateway failed to answer. Its operator finds the cause by the request id.",
      requestId,
    );
  });
  return app;
}
