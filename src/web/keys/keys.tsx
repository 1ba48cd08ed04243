import type { FC } from "hono/jsx";
import { membershipsOf, type Membership } from "../../identity/tenants.ts";
import { listKeys, type KeyInfo, type KeyPosition } from "../../keys/keys.ts";
import { TenantName } from "../frame/names.tsx";
import { dashboardPage, forPerson } from "../frame/dashboard.tsx";
import type { WebDeps } from "../frame/deps.ts";
import { Time } from "../frame/time.tsx";
import { untrustedText } from "../frame/untrusted.ts";

export const KEYS_PATH = "/dashboard/keys";
export const NEW_KEY_PATH = `${KEYS_PATH}/new`;

const PAGE_SIZE = 50;
const POSITION = /^(\d{1,14})\.([\w-]{1,64})$/;

/** `GET /dashboard/keys`: the keys of this person and of the organizations that they manage, newest first. */
export function showKeys(deps: WebDeps) {
  return forPerson(deps, KEYS_PATH, async (c, person) => {
    const before = positionOf(c.req.query("before") ?? "");
    const [keys, memberships] = await Promise.all([
      listKeys(deps.db, { userId: person.userId, tenantId: null }, { now: Date.now(), limit: PAGE_SIZE, before }),
      membershipsOf(deps.db, person.userId),
    ]);
    const last = keys.length === PAGE_SIZE ? keys.at(-1) : undefined;
    return dashboardPage(
      c,
      deps,
      { title: "API keys", current: KEYS_PATH, person },
      <>
        {keys.length === 0 && before === undefined ? (
          <Nothing endpoint={`${deps.config.BASE_URL}/mcp`} />
        ) : (
          <p>
            These are your keys and the keys of organizations that you manage. Scripts and services use keys to call the
            gateway. Apps you sign in to don't need one.
          </p>
        )}
        <p>
          <a href={NEW_KEY_PATH}>Create API key</a>
        </p>
        {keys.map((info, index) => (
          <Key info={info} memberships={memberships} heading={`key-${index}`} />
        ))}
        {last && (
          <p>
            <a href={`${KEYS_PATH}?before=${last.createdAt.getTime()}.${last.id}`}>Older keys</a>
          </p>
        )}
        {keys.length === 0 && before !== undefined && <p>There are no older keys.</p>}
      </>,
    );
  });
}

function positionOf(text: string): KeyPosition | undefined {
  const [, at, id] = POSITION.exec(text) ?? [];
  return at === undefined || id === undefined ? undefined : { at: new Date(Number(at)), id };
}

const Nothing: FC<{ endpoint: string }> = ({ endpoint }) => (
  <>
    <p>
      You have no API keys yet. Scripts and services use keys to call the gateway. A key works in one organization, with
      the permissions that you choose. Apps you sign in to don't need one.
    </p>
    <p>A script sends its key with each call:</p>
    <KeyExample endpoint={endpoint} />
  </>
);

/** Example of a script that uses a key from its environment. */
export const KeyExample: FC<{ endpoint: string }> = ({ endpoint }) => (
  <pre>
    {[
      `curl ${endpoint} \\`,
      `  -H "x-api-key: $MRG_API_KEY" \\`,
      `  -H "content-type: application/json" \\`,
      `  -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'`,
    ].join("\n")}
  </pre>
);

/** The name of a key, for display. */
export const keyName = ({ name }: Pick<KeyInfo, "name">): string => untrustedText(name, 100) || "Unnamed key";

const Key: FC<{ info: KeyInfo; memberships: readonly Membership[]; heading: string }> = (props) => {
  const { info, memberships, heading } = props;
  return (
    <article class="card stack" aria-labelledby={heading}>
      <h2 id={heading}>
        <a href={`${KEYS_PATH}/${info.id}`}>
          <bdi>{keyName(info)}</bdi>
        </a>
      </h2>
      <dl class="facts">
        <KeyFacts info={info} memberships={memberships} />
        <dt>Permissions</dt>
        <dd>{info.scopes.length === 0 ? "none" : <code>{info.scopes.join(" ")}</code>}</dd>
      </dl>
    </article>
  );
};

/** The identifying facts of a key and its status. */
export const KeyFacts: FC<{ info: KeyInfo; memberships: readonly Membership[] }> = ({ info, memberships }) => (
  <>
    <dt>Key</dt>
    <dd>
      <code>{untrustedText(info.start)}…</code>
    </dd>
    <dt>Status</dt>
    <dd>
      <KeyState info={info} />
    </dd>
    <dt>Organization</dt>
    <dd>
      <ActsIn tenantId={info.tenantId} memberships={memberships} />
    </dd>
    <dt>Owner</dt>
    <dd>{info.owner === "user" ? "You" : "The organization. Its owners and admins can manage the key."}</dd>
    <dt>Last used</dt>
    <dd>{info.lastUsedAt ? <Time at={info.lastUsedAt} /> : "Never"}</dd>
    <dt>Expires</dt>
    <dd>{info.expiresAt ? <Time at={info.expiresAt} /> : "Never"}</dd>
  </>
);

/** The name of the organization in which a key acts. */
const ActsIn: FC<{ tenantId: string; memberships: readonly Membership[] }> = ({ tenantId, memberships }) => {
  const membership = memberships.find((one) => one.tenantId === tenantId);
  return membership ? <TenantName of={membership} /> : <>An organization that you are not a member of</>;
};

const KeyState: FC<{ info: KeyInfo }> = ({ info }) => {
  switch (info.status) {
    case "active":
      return <>{info.rotatedTo === null ? "Active" : "Active until it expires. It was replaced by a new key."}</>;
    case "disabled":
      return <>Disabled</>;
    case "locked":
      return info.disabledUntil ? (
        <>
          Locked until <Time at={info.disabledUntil} />
        </>
      ) : (
        <>Locked</>
      );
    case "expired":
      return <>Expired</>;
    case "revoked":
      return (
        <>
          {info.revokedReason === "leaked" ? "Revoked: reported as leaked" : "Revoked"}
          {info.revokedAt && (
            <>
              , <Time at={info.revokedAt} />
            </>
          )}
        </>
      );
    default:
      return info.status satisfies never;
  }
};
