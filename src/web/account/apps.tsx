import type { FC } from "hono/jsx";
import { isScope, SCOPES } from "../../identity/scopes.ts";
import { personalTenantId } from "../../identity/standing.ts";
import { connectedApps, disconnect, type ConnectedApp } from "../../grants/connected.ts";
import { AppError, isUnavailable } from "../../platform/errors.ts";
import { errorFields } from "../../platform/log.ts";
import { Client } from "../frame/names.tsx";
import { dashboardPage, forPerson } from "../frame/dashboard.tsx";
import type { WebDeps } from "../frame/deps.ts";
import { Form } from "../frame/fields.tsx";
import { Notice } from "../frame/layout.tsx";
import { formToken } from "../frame/protected-form.tsx";
import { redirectReceiver, type RedirectReceiver } from "../frame/redirect.ts";
import { changedBy, type SignedIn } from "../frame/session.ts";
import { Time } from "../frame/time.tsx";
import { untrustedText } from "../frame/untrusted.ts";
import { inWords } from "../frame/time.tsx";

const PATH = "/dashboard/apps";
export const DISCONNECT_PATH = `${PATH}/disconnect`;

/** `GET /dashboard/apps`: the apps that act on behalf of this person, and their permissions. */
export function showApps(deps: WebDeps) {
  return forPerson(deps, PATH, async (c, person) => {
    const apps = await connectedApps(deps.db, person.userId);
    const token = await formToken(c, deps, "disconnect");
    return dashboardPage(
      c,
      deps,
      { title: "Connected apps", current: PATH, person },
      <>
        {c.req.query("done") === "disconnected" && (
          <Notice tone="success">The app was disconnected. It no longer has access.</Notice>
        )}
        <p>
          {apps.length === 0
            ? "No apps are connected. Apps that you allow to use your account appear here."
            : "You allowed these apps to use your account. Disconnecting an app ends its access immediately, wherever it runs. The app can ask for access again."}
        </p>
        {apps.map((app, index) => (
          <App app={app} person={person} token={token} heading={`app-${index}`} />
        ))}
      </>,
    );
  });
}

/**
 * `POST /dashboard/apps/disconnect`: revokes one app's access. The answer is the same for an app that is not connected.
 */
export function disconnectApp(deps: WebDeps) {
  return forPerson(deps, PATH, async (c, person) => {
    const form = c.get("form");
    const [clientId, reference] = [form.get("client") ?? "", form.get("reference") ?? ""];
    try {
      await disconnect(deps.grants, { clientId, reference }, changedBy(c, person));
    } catch (error) {
      throw isUnavailable(error) ? unfinished(error, deps.grants.accessTokenSeconds) : error;
    }
    return c.redirect(`${PATH}?done=disconnected`, 303);
  });
}

const unfinished = (error: unknown, accessTokenSeconds: number) =>
  new AppError(
    "unavailable",
    `The app may keep its access for up to ${inWords(accessTokenSeconds)}. Reload this page to finish disconnecting it.`,
    { internal: JSON.stringify(errorFields(error)), headers: { "retry-after": "5" } },
  );

const App: FC<{ app: ConnectedApp; person: SignedIn; token: string; heading: string }> = (props) => {
  const { app, person, token, heading } = props;
  const name = untrustedText(app.name ?? "") || "Unnamed app";
  const receiver = app.redirectUri === undefined ? undefined : redirectReceiver(app.redirectUri);
  return (
    <article class="card stack" aria-labelledby={heading}>
      <h2 id={heading}>
        <bdi>{name}</bdi>
      </h2>
      <dl class="facts">
        <Client clientId={app.clientId} />
        {receiver && (
          <>
            <dt>Runs at</dt>
            <dd>{placeOf(receiver)}</dd>
          </>
        )}
        <dt>Organization</dt>
        <dd>
          {app.tenantId === personalTenantId(person.userId) ? (
            "Personal"
          ) : (
            <bdi>{untrustedText(app.tenantName ?? "") || "A deleted organization"}</bdi>
          )}
        </dd>
        <dt>Permissions</dt>
        <dd>
          <ul class="list">
            {app.scopes.map((scope) => (
              <li>{isScope(scope) ? SCOPES[scope] : `Use the permission “${untrustedText(scope)}”`}</li>
            ))}
          </ul>
        </dd>
        {app.resources.map((resource) => (
          <>
            <dt>Access to</dt>
            <dd>{untrustedText(resource, 200)}</dd>
          </>
        ))}
        <dt>Connected</dt>
        <dd>
          <Time at={app.firstConnected} />
        </dd>
        <dt>Last used</dt>
        <dd>{app.lastUsed ? <LastUsed at={app.lastUsed} liveGrants={app.liveGrants} /> : "Not signed in now"}</dd>
      </dl>
      <Form action={DISCONNECT_PATH} token={token} carry={{ client: app.clientId, reference: app.reference }}>
        <div>
          <button type="submit" aria-label={`Disconnect ${name}`}>
            Disconnect
          </button>
        </div>
      </Form>
    </article>
  );
};

/** A loopback host is shown without its port, which is different at each sign-in. */
function placeOf(receiver: RedirectReceiver): string {
  if (receiver.kind === "app") return `the app for ${receiver.scheme} links`;
  return receiver.kind === "loopback" ? "your computer (localhost)" : receiver.host;
}

const LastUsed: FC<{ at: Date; liveGrants: number }> = ({ at, liveGrants }) => (
  <>
    <Time at={at} />
    {liveGrants > 1 && `, signed in ${liveGrants} times`}
  </>
);
