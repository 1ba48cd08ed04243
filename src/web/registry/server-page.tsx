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
  published: "The version is published. It is never changed from now on.",
  status: "The status is set.",
  public: "Everybody sees this server now.",
  private: "Only members of the organization see this server now.",
  gateway: "Clients that install this server now reach it in the way that you chose.",
} as const;

/** `GET /registry/{name}`: a server that is shown to everybody. */
export function showPublicServer(deps: WebDeps) {
  return async (c: PageContext): Promise<Response> => {
    const name = c.req.param("name") ?? "";
    const view = { kind: "public" } as const;
    const version = wantedVersion(c.req.query("version"));
    const found = parseName(name) ? await findServer(deps.db, view, name, { version, includeDeleted: false }) : null;
    if (!found) return notFoundPage(c, "There is no such server, or it is not shown to everybody.");
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

/** The version that is asked for, if any, as text that Postgres can hold. */
const wantedVersion = (text: string | null | undefined): string | undefined =>
  text ? text.toWellFormed().replaceAll("\0", "\ufffd") : undefined;

/** A server of a tenant's registry, as one of its members sees it. */
export interface SeenServer extends ServerDetail {
  person: SignedIn;
  tenancy: Tenancy;
  paths: RegistryPaths;
}

/** A page or post about one server of a tenant, for its members; everybody else is told that there is none. `asked` says which one is meant. */
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
  /** What was entered as the message of a status. */
  message?: string;
  status?: 200 | 400 | 403 | 409;
}

/** One server of a tenant: what the registry says of it, and what its members may do about it. */
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
