import type { Principal } from "../access/principal.ts";
import { routesFor, type Route } from "../http/route.ts";
import type { Reader } from "./answers.ts";
import type { PlaneDeps } from "./deps.ts";
import type { Author } from "./publisher.ts";

/** The kinds of callers of the MCP Registry API. */
export interface RegistryCallers {
  principal: Principal;
  reader: Reader;
  publisher: Author;
}

export type RegistryCaller = RegistryCallers[keyof RegistryCallers];
export type RegistryRoute = Route<PlaneDeps, RegistryCaller>;

export const route = routesFor<PlaneDeps, RegistryCallers>();

/**
 * The API's versions: `v0` is the older name of `v0.1`, which `mcp-publisher` uses. Their operation ids differ in the
 * suffix.
 */
export const VERSIONS = [
  { root: "/v0.1", suffix: "" },
  { root: "/v0", suffix: "V0" },
] as const;

/** A route in each version of the API. */
export const inEachVersion = (declared: RegistryRoute): RegistryRoute[] =>
  VERSIONS.map(({ root, suffix }) => ({ ...declared, path: `${root}${declared.path}`, id: `${declared.id}${suffix}` }));
