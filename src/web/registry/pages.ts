import type { Hono, MiddlewareHandler } from "hono";
import { localBuckets } from "../../limits/local.ts";
import { AppError } from "../../platform/errors.ts";
import { clientAddress } from "../../platform/http.ts";
import { visitorKey } from "../../platform/ip.ts";
import type { PageEnv, WebDeps } from "../frame/deps.ts";
import { postGateway, postStatus, postVisibility } from "./actions.ts";
import { showPublicRegistry, showRegistry } from "./list.tsx";
import { postPublish, showPublish } from "./publish.tsx";
import { showPublicServer, showServer } from "./server-page.tsx";
import { PUBLIC_REGISTRY_PATH, PUBLISH_PATH, REGISTRY_PATH } from "./tenant.ts";

const MAX_ADDRESSES = 10_000;
/** Limit on the public pages, for one address in each isolate, because these pages read from Postgres. */
const LOOKING = { perMinute: 120, burst: 120 };

/** The pages of the public registry and of organizations' registries. `form` protects the posts of one purpose. */
export function addRegistryPages(
  pages: Hono<PageEnv>,
  deps: WebDeps,
  form: (purpose: string) => MiddlewareHandler<PageEnv>,
): void {
  const limited = limitAddresses();
  pages.get(PUBLIC_REGISTRY_PATH, limited, showPublicRegistry(deps));
  pages.get(`${PUBLIC_REGISTRY_PATH}/:name`, limited, showPublicServer(deps));
  const server = `${REGISTRY_PATH}/:name`;
  pages.get(REGISTRY_PATH, showRegistry(deps));
  pages.get(PUBLISH_PATH, showPublish(deps)).post(PUBLISH_PATH, form("registry-publish"), postPublish(deps));
  pages.get(server, showServer(deps));
  pages.post(`${server}/status`, form("registry-status"), postStatus(deps));
  pages.post(`${server}/visibility`, form("registry-visibility"), postVisibility(deps));
  pages.post(`${server}/gateway`, form("registry-gateway"), postGateway(deps));
}

function limitAddresses(): MiddlewareHandler<PageEnv> {
  const buckets = localBuckets(MAX_ADDRESSES);
  return async (c, next) => {
    const taken = buckets.take(visitorKey(clientAddress(c.req.raw.headers)), LOOKING, Date.now());
    if (taken.taken) return next();
    const seconds = String(Math.max(1, Math.ceil(taken.retryMs / 1000)));
    throw new AppError("rate_limited", `Too many requests from your network. Try again in ${seconds} seconds.`, {
      headers: { "retry-after": seconds },
    });
  };
}
