import { membershipsOf, type Membership } from "../../identity/tenants.ts";
import type { WebDeps } from "../frame/deps.ts";
import type { SignedIn } from "../frame/session.ts";

/** The tenant's own registry. */
export const REGISTRY_PATH = "/dashboard/registry";
export const PUBLISH_PATH = `${REGISTRY_PATH}/publish`;
/** What is shown to everybody. */
export const PUBLIC_REGISTRY_PATH = "/registry";

/** Whose registry a page is about, and the others that the person could look at. */
export interface Tenancy {
  tenant: Membership;
  memberships: readonly Membership[];
}

/** The tenant that a page or form names, else the one that is active in the session. Undefined when the person is not in the one named. */
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

/** What is added to a path: which version of a server, what has just been done, which page of a list. Empty ones are left out. */
type Query = Readonly<Record<string, string | undefined>>;

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(
    (pair): pair is [string, string] => pair[1] !== undefined && pair[1] !== "",
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}

/** Addresses of the pages of one view: of everybody's, or of a tenant's. A server's name is one segment of the path. */
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
