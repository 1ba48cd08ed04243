import { findServer, type ServerDetail } from "../../registry/reading/detail.ts";
import { parseName } from "../../registry/name.ts";
import { curationOf } from "../../registry/publishing/visibility.ts";
import { dashboardPage, forPerson } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { htmlPage, Notice } from "../frame/layout.tsx";
import { notFoundPage } from "../frame/not-found.tsx";
import { formToken } from "../frame/protected-form.tsx";
import { serverTitle } from "./list.tsx";
import { ManageServer } from "./manage.tsx";
import { ServerDetails } from "./server.tsx";
import {
  PUBLIC_REGISTRY_PATH,
  REGISTRY_PATH,
  registryPaths,
  tenancyOf,
  type RegistryPaths,
  type Tenancy,
} from "./tenant.ts";
import type { SignedIn } from "../frame/session.ts";

export const DONE = {
  published: "The version is published. A published version can't be changed.",
  status: "The status was changed.",
  public: "This server is public now.",
  private: "Only members of the organization can see this server now.",
  gateway: "The connection was saved. It applies to clients that install this server from now on.",
} as const;

/** `GET /registry/{name}`: a public server. */
export function showPublicServer(deps: WebDeps) {
  return async (c: PageContext): Promise<Response> => {
    const name = c.req.param("name") ?? "";
    const view = { kind: "public" } as const;
    const version = wantedVersion(c.req.query("version"));
    const found = parseName(name) ? await findServer(deps.db, view, name, { version, includeDeleted: false }) : null;
    if (!found) return notFoundPage(c, "There is no such server, or it is not public.");
    return htmlPage(
      c,
      { title: serverTitle(found.entry), wide: true },
      <>
        <p>
          <a href={PUBLIC_REGISTRY_PATH}>All servers</a>
        </p>
        <ServerDetails {...found} paths={registryPaths(view)} origin={deps.config.BASE_URL} />
      </>,
    );
  };
}

/** The requested version, if any, as text that Postgres can store. */
const wantedVersion = (text: string | null | undefined): string | undefined =>
  text ? text.toWellFormed().replaceAll("\0", "\ufffd") : undefined;

/** A server of a tenant's registry, as one of its members sees it. */
export interface SeenServer extends ServerDetail {
  person: SignedIn;
  tenancy: Tenancy;
  paths: RegistryPaths;
}

/**
 * Handles a request about one server of a tenant, for the tenant's members. Everybody else gets "not found". `asked`
 * reads the tenant and the version from the request.
 */
export function forServer(
  deps: WebDeps,
  asked: (c: PageContext) => { tenant: string | null | undefined; version: string | null | undefined },
  answer: (c: PageContext, seen: SeenServer) => Response | Promise<Response>,
) {
  return forPerson(deps, REGISTRY_PATH, async (c, person) => {
    const name = c.req.param("name") ?? "";
    const { tenant, version } = asked(c);
    const tenancy = parseName(name) && (await tenancyOf(deps, person, tenant));
    if (!tenancy) return noSuchServer(c);
    const view = { kind: "tenant", tenantId: tenancy.tenant.tenantId } as const;
    const wanted = { version: wantedVersion(version), includeDeleted: true };
    const found = await findServer(deps.db, view, name, wanted);
    if (!found) return noSuchServer(c);
    return answer(c, { ...found, person, tenancy, paths: registryPaths({ kind: "tenant", ...tenancy }) });
  });
}

export const noSuchServer = (c: PageContext) =>
  notFoundPage(c, "There is no such server or version in this registry, or you are not in its organization.");

/** `GET /dashboard/registry/{name}`. */
export function showServer(deps: WebDeps) {
  const asked = (c: PageContext) => ({ tenant: c.req.query("tenant"), version: c.req.query("version") });
  return forServer(deps, asked, (c, seen) => {
    const done = c.req.query("done") ?? "";
    const text = Object.hasOwn(DONE, done) ? DONE[done as keyof typeof DONE] : undefined;
    return serverPage(c, deps, seen, text === undefined ? {} : { notice: { tone: "success", text } });
  });
}

export interface ServerPageState {
  notice?: { tone: "success" | "danger"; text: string };
  /** The status message that was entered. */
  message?: string;
  status?: 200 | 400 | 403 | 409;
}

/** The page of one server of a tenant: its details, and the forms to manage it. */
export async function serverPage(
  c: PageContext,
  deps: WebDeps,
  { person, tenancy, paths, ...found }: SeenServer,
  { notice, message, status = 200 }: ServerPageState = {},
): Promise<Response> {
  const { tenantId } = tenancy.tenant;
  const { entry } = found;
  const curation = await curationOf(deps.db, { tenantId, userId: person.userId });
  const tokens = {
    status: await formToken(c, deps, "registry-status"),
    visibility: await formToken(c, deps, "registry-visibility"),
    gateway: await formToken(c, deps, "registry-gateway"),
  };
  return dashboardPage(
    c,
    deps,
    { title: serverTitle(entry), current: REGISTRY_PATH, person, status },
    <>
      {notice && <Notice tone={notice.tone}>{notice.text}</Notice>}
      <ServerDetails {...found} paths={paths} origin={deps.config.BASE_URL} />
      <ManageServer
        {...curation}
        tokens={tokens}
        tenantId={tenantId}
        base={`${REGISTRY_PATH}/${encodeURIComponent(entry.name)}`}
        entry={entry}
        message={message}
      />
    </>,
  );
}
