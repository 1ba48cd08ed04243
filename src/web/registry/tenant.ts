import { membershipsOf, type Membership } from "../../identity/tenants.ts";
import type { WebDeps } from "../frame/deps.ts";
import type { SignedIn } from "../frame/session.ts";

/** The tenant's own registry. */
export const REGISTRY_PATH = "/dashboard/registry";
export const PUBLISH_PATH = `${REGISTRY_PATH}/publish`;
/** The public registry. */
export const PUBLIC_REGISTRY_PATH = "/registry";

/** The tenant whose registry a page shows, and all tenants of the person. */
export interface Tenancy {
  tenant: Membership;
  memberships: readonly Membership[];
}

/**
 * The tenant that a page or form names, else the active one of the session. Undefined when the person is not a member
 * of the named tenant.
 */
export async function tenancyOf(
  deps: Pick<WebDeps, "db">,
  { userId, tenantId }: SignedIn,
  named: string | null | undefined,
): Promise<Tenancy | undefined> {
  const memberships = await membershipsOf(deps.db, userId);
  const active = memberships.find((one) => one.tenantId === tenantId) ?? memberships[0];
  const tenant = named ? memberships.find((one) => one.tenantId === named) : active;
  return tenant && { tenant, memberships };
}

/**
 * Query parameters, such as the version of a server, the notice to show, or the page of a list. Empty ones are left
 * out.
 */
type Query = Readonly<Record<string, string | undefined>>;

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "",
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}

/** Paths of the pages of one view: the public one, or a tenant's. A server's name is one segment of the path. */
export function registryPaths(view: { kind: "public" } | ({ kind: "tenant" } & Tenancy)) {
  const base = view.kind === "public" ? PUBLIC_REGISTRY_PATH : REGISTRY_PATH;
  const tenant = view.kind === "public" || view.memberships.length === 1 ? undefined : view.tenant.tenantId;
  return {
    list: (query: Query = {}) => withQuery(base, { tenant, ...query }),
    server: (name: string, query: Query = {}) => withQuery(`${base}/${encodeURIComponent(name)}`, { tenant, ...query }),
    publish: () => withQuery(PUBLISH_PATH, { tenant }),
  };
}

export type RegistryPaths = ReturnType<typeof registryPaths>;
