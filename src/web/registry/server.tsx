import type { FC } from "hono/jsx";
import { answerOf, type ServerAnswer } from "../../registry/reading/answer.ts";
import { PUBLISHER_META } from "../../registry/definition/definition.ts";
import type { NamedInput } from "../../registry/definition/input.ts";
import type { Package } from "../../registry/definition/package.ts";
import type { Remote } from "../../registry/definition/transport.ts";
import type { ServerDetail } from "../../registry/reading/detail.ts";
import type { RegistryEntry } from "../../registry/reading/entry.ts";
import { Notice } from "../frame/layout.tsx";
import { Outside, safeLink } from "../frame/outside-link.tsx";
import { Readme } from "./readme.tsx";
import { installation } from "./snippets.ts";
import type { RegistryPaths } from "./tenant.ts";
import { Time } from "../frame/time.tsx";
import { untrustedText } from "../frame/untrusted.ts";

/** `entry` is the version that the page is about. */
interface ServerProps extends ServerDetail {
  paths: RegistryPaths;
  origin: string;
}

/** The details of a server: facts, installation, addresses and packages, versions, readme. */
export const ServerDetails: FC<ServerProps> = ({ entry, versions, hasMore, paths, origin }) => {
  const { server } = answerOf(entry, origin);
  const readme = readmeOf(server);
  return (
    <>
      <StatusNotice entry={entry} />
      <p>
        <bdi>{untrustedText(server.description, 300)}</bdi>
      </p>
      <Facts entry={entry} server={server} />
      <Install server={server} />
      <Ways server={server} />
      <Versions entry={entry} versions={versions} hasMore={hasMore} paths={paths} />
      {readme !== undefined && (
        <section class="stack" aria-labelledby="readme">
          <h2 id="readme">Readme</h2>
          <Readme source={readme} />
        </section>
      )}
    </>
  );
};

/** The publisher's readme: `readme`, else `github.readme`, where VS Code looks for it. */
function readmeOf({ _meta }: ServerAnswer["server"]): string | undefined {
  const provided = _meta?.[PUBLISHER_META];
  const github = provided?.["github"];
  const own = provided?.["readme"];
  const theirs = typeof github === "object" && github !== null && "readme" in github ? github.readme : undefined;
  return [own, theirs].find((one): one is string => typeof one === "string" && one.trim() !== "");
}

const StatusNotice: FC<{ entry: RegistryEntry }> = ({ entry: { status, statusMessage, version, isLatest } }) => (
  <>
    {status !== "active" && (
      <Notice tone={status === "deleted" ? "danger" : "warning"}>
        <p>
          {status === "deleted" ? "This version is deleted. It is hidden from clients." : "This version is deprecated."}{" "}
          {statusMessage !== null && <bdi>{untrustedText(statusMessage, 500)}</bdi>}
        </p>
      </Notice>
    )}
    {!isLatest && <Notice tone="warning">Version {untrustedText(version, 255)} is not the latest one.</Notice>}
  </>
);

const Facts: FC<{ entry: RegistryEntry; server: ServerAnswer["server"] }> = ({ entry, server }) => {
  const website = server.websiteUrl === undefined ? undefined : safeLink(server.websiteUrl);
  const repository = server.repository === undefined ? undefined : safeLink(server.repository.url);
  return (
    <dl class="facts">
      <dt>Name</dt>
      <dd>
        <code>{untrustedText(server.name, 200)}</code>
      </dd>
      <dt>Version</dt>
      <dd>{untrustedText(entry.version, 255)}</dd>
      <dt>Published</dt>
      <dd>
        <Time at={entry.publishedAt} />
      </dd>
      <dt>Visibility</dt>
      <dd>{entry.isPublic ? "Public" : "Members of the organization only"}</dd>
      {website !== undefined && (
        <>
          <dt>Website</dt>
          <dd>
            <Outside href={website}>{untrustedText(website, 300)}</Outside>
          </dd>
        </>
      )}
      {repository !== undefined && (
        <>
          <dt>Source code</dt>
          <dd>
            <Outside href={repository}>{untrustedText(repository, 300)}</Outside>
          </dd>
        </>
      )}
    </dl>
  );
};

const Install: FC<{ server: ServerAnswer["server"] }> = ({ server }) => {
  const installed = installation(server);
  return (
    <section class="card stack" aria-labelledby="install">
      <h2 id="install">Install</h2>
      {installed === undefined && <p>Common clients can't install this server from its entry.</p>}
      {installed?.snippets.map(({ client, how, code, link }) => (
        <section class="stack close">
          <h3>{client}</h3>
          {link && (
            <p>
              <a class="button" href={link.href}>
                {link.label}
              </a>
            </p>
          )}
          <p class="muted">{how}</p>
          <pre>{code}</pre>
        </section>
      ))}
      {installed !== undefined && installed.asked.length > 0 && (
        <section class="stack close">
          <h3>Values to fill in</h3>
          <ul class="list">
            {installed.asked.map(({ placeholder, description, isSecret }) => (
              <li>
                <code>{placeholder}</code>
                {isSecret ? " (secret)" : ""}
                {description !== undefined && (
                  <>
                    : <bdi>{description}</bdi>
                  </>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
    </section>
  );
};

const Ways: FC<{ server: ServerAnswer["server"] }> = ({ server: { remotes = [], packages = [] } }) => (
  <section class="stack" aria-labelledby="ways">
    <h2 id="ways">Addresses and packages</h2>
    {remotes.length + packages.length === 0 && <p>None.</p>}
    {remotes.map((remote) => (
      <RemoteCard remote={remote} />
    ))}
    {packages.map((one) => (
      <PackageCard package={one} />
    ))}
  </section>
);

const TRANSPORTS = { "streamable-http": "Streamable HTTP", sse: "SSE", stdio: "stdio" } as const;

const RemoteCard: FC<{ remote: Remote }> = ({ remote }) => (
  <dl class="facts card">
    <dt>Address</dt>
    <dd>
      <code>{untrustedText(remote.url, 500)}</code>
    </dd>
    <dt>Transport</dt>
    <dd>{TRANSPORTS[remote.type]}</dd>
    <Inputs of={remote.headers} term="Header" />
  </dl>
);

const PackageCard: FC<{ package: Package }> = ({
  package: { registryType, identifier, version, transport, ...rest },
}) => (
  <dl class="facts card">
    <dt>Package</dt>
    <dd>
      {registryType} <code>{untrustedText(identifier, 500)}</code>{" "}
      {version !== undefined && untrustedText(version, 255)}
    </dd>
    <dt>Transport</dt>
    <dd>{TRANSPORTS[transport.type]}</dd>
    {rest.fileSha256 !== undefined && (
      <>
        <dt>SHA-256</dt>
        <dd>
          <code>{untrustedText(rest.fileSha256, 64)}</code>
        </dd>
      </>
    )}
    <Inputs of={rest.environmentVariables} term="Environment" />
  </dl>
);

const Inputs: FC<{ of: readonly NamedInput[] | undefined; term: string }> = ({ of = [], term }) => (
  <>
    {of.map(({ name, description, isRequired, isSecret }) => (
      <>
        <dt>{term}</dt>
        <dd>
          <code>{untrustedText(name, 200)}</code>
          {isRequired === true ? " (required)" : ""}
          {isSecret === true ? " (secret)" : ""} <bdi>{untrustedText(description ?? "", 300)}</bdi>
        </dd>
      </>
    ))}
  </>
);

const Versions: FC<Omit<ServerProps, "origin">> = ({ entry, versions, hasMore, paths }) => (
  <section class="stack" aria-labelledby="versions">
    <h2 id="versions">Versions</h2>
    <ul class="list">
      {versions.map(({ name, version, publishedAt, status, isLatest }) => (
        <li>
          <a href={paths.server(name, { version })} aria-current={version === entry.version ? "true" : undefined}>
            <bdi>{untrustedText(version, 255)}</bdi>
          </a>
          {isLatest ? " (latest)" : ""}
          {status === "active" ? "" : ` (${status})`}, <Time at={publishedAt} />
        </li>
      ))}
    </ul>
    {hasMore && <p class="muted">Older versions are available through the API.</p>}
  </section>
);
