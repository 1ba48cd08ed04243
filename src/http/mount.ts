import type { Context, Hono } from "hono";
import type { Scope } from "../identity/scopes.ts";
import { AppError } from "../platform/errors.ts";
import type { HttpEnv } from "../platform/http.ts";
import type { Route, Who } from "./route.ts";

/** Authenticates the caller, and refuses callers who may not use the route. Not called for routes for anyone. */
export type Authenticate<Caller> = (
  c: Context<HttpEnv>,
  who: Exclude<Who, "anyone">,
  scopes: readonly Scope[],
) => Promise<Caller>;

/** The scopes that a credential needs for a route. */
export function scopesOf(who: Who): readonly Scope[] {
  switch (who) {
    case "anyone":
    case "view":
      return [];
    case "administrator":
      return ["admin"];
    default:
      if ("scopes" in who) return who.scopes;
      if ("optional" in who) return who.optional;
      if ("publisher" in who) return who.publisher;
      throw new Error("This route does not say who may use it.");
  }
}

/**
 * Serves declared routes. An unknown method on a known path is a 405 that lists the allowed ones, including the methods
 * in `besideGet`, which the plane answers on each path that has a GET.
 */
export function mountRoutes<Deps, Caller>(
  app: Hono<HttpEnv>,
  routes: readonly Route<Deps, Caller>[],
  deps: Deps,
  authenticate: Authenticate<Caller>,
  besideGet: readonly string[] = [],
): void {
  for (const declared of routes) {
    app.on(declared.method.toUpperCase(), honoPath(declared.path), async (c) => {
      declared.before(c, deps);
      const caller =
        declared.who === "anyone" ? undefined : await authenticate(c, declared.who, scopesOf(declared.who));
      return declared.answer(c, deps, caller);
    });
  }
  for (const [path, known] of Map.groupBy(routes, (declared) => declared.path)) {
    const methods = known.map(({ method }) => method.toUpperCase());
    const allow = [...methods, ...(methods.includes("GET") ? besideGet : [])].join(", ");
    app.all(honoPath(path), () => {
      throw new AppError("method_not_allowed", `Use ${methods.join(" or ")}.`, { headers: { allow } });
    });
  }
}

/** `/things/{id}` in Hono's form: `/things/:id`. */
export const honoPath = (path: string) => path.replace(/\{(\w+)\}/g, ":$1");
