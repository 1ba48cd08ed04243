import type { FC } from "hono/jsx";
import type { RegistryEntry, RegistryView } from "../../registry/reading/entry.ts";
import { searchServers } from "../../registry/reading/search.ts";
import { listServers } from "../../registry/reading/servers.ts";
import { TenantName } from "../frame/names.tsx";
import { dashboardPage, forPerson } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { Select } from "../frame/fields.tsx";
import { htmlPage, Notice } from "../frame/layout.tsx";
import { notFoundPage } from "../frame/not-found.tsx";
import {
  PACKAGES,
  PUBLIC_STATUSES,
  readSearch,
  STATUSES,
  TRANSPORTS,
  type SearchEntries,
  type SearchWish,
  type Statuses,
} from "./search.ts";
import {
  PUBLIC_REGISTRY_PATH,
  REGISTRY_PATH,
  registryPaths,
  tenancyOf,
  type RegistryPaths,
  type Tenancy,
} from "./tenant.ts";
import { signedIn } from "../frame/session.ts";
import { untrustedText } from "../frame/untrusted.ts";

const PAGE_SIZE = 50;

interface Found {
  entries: RegistryEntry[];
  nextCursor: string | null;
}

/** One page of the results. One statement. */
function find(deps: Pick<WebDeps, "db">, view: RegistryView, { search, cursor, problem }: SearchWish): Promise<Found> {
  if (problem !== undefined) return Promise.resolve({ entries: [], nextCursor: null });
  const page = { limit: PAGE_SIZE, ...(cursor !== undefined && { cursor }) };
  if (search !== undefined) return searchServers(deps.db, view, { ...search, ...page });
  return listServers(deps.db, view, { version: "latest", includeDeleted: false, ...page });
}

/** `GET /registry`: the public servers. */
export function showPublicRegistry(deps: WebDeps) {
  return async (c: PageContext): Promise<Response> => {
    const wish = readSearch((name) => c.req.query(name), PUBLIC_STATUSES);
    const [found, person] = await Promise.all([find(deps, { kind: "public" }, wish), signedIn(c, deps)]);
    const isEmpty = found.entries.length === 0 && wish.search === undefined && wish.cursor === undefined;
    const signIn = `${deps.config.LOGIN_PAGE}?${new URLSearchParams({ next: REGISTRY_PATH }).toString()}`;
    return htmlPage(
      c,
      { title: "MCP servers", wide: true, status: wish.problem === undefined ? 200 : 400 },
      <>
        {isEmpty && wish.problem === undefined ? (
          <p>No public servers yet.</p>
        ) : (
          <>
            <p>These are the servers that organizations of this gateway have made public.</p>
            <SearchForm action={PUBLIC_REGISTRY_PATH} wish={wish} statuses={PUBLIC_STATUSES} />
            <Results found={found} wish={wish} paths={registryPaths({ kind: "public" })} />
          </>
        )}
        <p>
          {person ? (
            <a href={REGISTRY_PATH}>Servers of your organization</a>
          ) : (
            <>
              <a href={signIn}>Sign in</a> to see the servers of your organization.
            </>
          )}
        </p>
      </>,
    );
  };
}

/** `GET /dashboard/registry`: the servers of one of the person's organizations. */
export function showRegistry(deps: WebDeps) {
  return forPerson(deps, REGISTRY_PATH, async (c, person) => {
    const tenancy = await tenancyOf(deps, person, c.req.query("tenant"));
    if (!tenancy) return notFoundPage(c, "There is no such organization, or you are not in it.");
    const wish = readSearch((name) => c.req.query(name), STATUSES);
    const found = await find(deps, { kind: "tenant", tenantId: tenancy.tenant.tenantId }, wish);
    const paths = registryPaths({ kind: "tenant", ...tenancy });
    const isEmpty = found.entries.length === 0 && wish.search === undefined && wish.cursor === undefined;
    return dashboardPage(
      c,
      deps,
      { title: "Registry", current: REGISTRY_PATH, person, status: wish.problem === undefined ? 200 : 400 },
      <>
        <Tenants tenancy={tenancy} />
        <p>
          <a href={paths.publish()}>Publish a server</a>
        </p>
        {isEmpty && wish.problem === undefined ? (
          <p>
            This registry has no servers yet. Publish one here or with <code>mcp-publisher</code>, or mirror another
            registry.
          </p>
        ) : (
          <>
            <SearchForm action={REGISTRY_PATH} wish={wish} statuses={STATUSES} tenantId={tenancy.tenant.tenantId} />
            <Results found={found} wish={wish} paths={paths} />
          </>
        )}
      </>,
    );
  });
}

/** The organization of this registry, with links to the person's other ones. */
const Tenants: FC<{ tenancy: Tenancy }> = ({ tenancy: { tenant, memberships } }) =>
  memberships.length === 1 ? null : (
    <nav class="menu" aria-label="Organizations">
      {memberships.map((one) => (
        <a
          href={registryPaths({ kind: "tenant", tenant: one, memberships }).list()}
          aria-current={one.tenantId === tenant.tenantId ? "page" : undefined}
        >
          <TenantName of={one} />
        </a>
      ))}
    </nav>
  );

interface SearchFormProps {
  action: string;
  wish: SearchWish;
  statuses: Statuses;
  tenantId?: string;
}

const SearchForm: FC<SearchFormProps> = ({ action, wish: { entries, problem }, statuses, tenantId }) => (
  <form method="get" action={action} class="stack" role="search">
    {tenantId !== undefined && <input type="hidden" name="tenant" value={tenantId} />}
    <div class="field">
      <label for="q">Search</label>
      <input
        id="q"
        name="q"
        type="search"
        value={untrustedText(entries.q, 200)}
        maxlength={200}
        autocomplete="off"
        aria-invalid={problem === undefined ? undefined : "true"}
        aria-describedby={problem === undefined ? undefined : "q-problem"}
      />
      {problem !== undefined && (
        <p id="q-problem" class="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
    <details open={entries.transport !== "" || entries.package !== "" || entries.status !== ""}>
      <summary>Filters</summary>
      <div class="stack">
        <Select name="transport" label="Transport" value={entries.transport} options={TRANSPORTS} />
        <Select name="package" label="Package" value={entries.package} options={PACKAGES} />
        <Select name="status" label="Status" value={entries.status} options={statuses} />
      </div>
    </details>
    <div>
      <button type="submit">Search</button>
    </div>
  </form>
);

const Results: FC<{ found: Found; wish: SearchWish; paths: RegistryPaths }> = ({ found, wish, paths }) => (
  <>
    {wish.problem === undefined && found.entries.length === 0 && (
      <p>{wish.cursor === undefined ? "No servers match. Try fewer words or filters." : "No more servers."}</p>
    )}
    {found.entries.map((entry, index) => (
      <Result entry={entry} href={paths.server(entry.name)} heading={`server-${index}`} />
    ))}
    {found.nextCursor !== null && (
      <p>
        <a href={paths.list({ ...asQuery(wish.entries), cursor: found.nextCursor })} rel="next">
          More servers
        </a>
      </p>
    )}
  </>
);

const asQuery = ({ q, transport, package: packageType, status }: SearchEntries) => ({
  q,
  transport,
  package: packageType,
  status,
});

/** The title of a server, for display; its name if it has no title. */
export const serverTitle = ({ name, definition }: Pick<RegistryEntry, "name" | "definition">): string =>
  untrustedText(definition.title ?? "", 100) || untrustedText(name, 200);

const Result: FC<{ entry: RegistryEntry; href: string; heading: string }> = ({ entry, href, heading }) => (
  <article class="card stack close" aria-labelledby={heading}>
    <h2 id={heading}>
      <a href={href}>
        <bdi>{serverTitle(entry)}</bdi>
      </a>
    </h2>
    <p class="muted small">
      <code>{untrustedText(entry.name, 200)}</code> {untrustedText(entry.version, 255)}
      {entry.isPublic ? ", public" : ""}
    </p>
    <p>
      <bdi>{untrustedText(entry.definition.description, 300)}</bdi>
    </p>
    {entry.status !== "active" && (
      <Notice tone="warning">{entry.status === "deleted" ? "Deleted" : "Deprecated"}</Notice>
    )}
  </article>
);
