import type { FC } from "hono/jsx";
import type { Membership } from "../../identity/tenants.ts";
import type { PageContext } from "../frame/deps.ts";
import { Form } from "../frame/fields.tsx";
import { htmlPage, Notice } from "../frame/layout.tsx";
import { Client, TenantName } from "../frame/names.tsx";
import type { OAuthQuery } from "../frame/oauth-query.ts";
import { redirectReceiver, type RedirectReceiver } from "../frame/redirect.ts";
import type { SignedIn } from "../frame/session.ts";
import { AdminChoice, ScopeList } from "./scopes.tsx";
import { untrustedText } from "../frame/untrusted.ts";

interface ConsentRequest {
  query: OAuthQuery;
  person: SignedIn;
  /** The organizations in which the person may let the app act. */
  memberships: readonly Membership[];
  /** As registered by the app: anybody can choose any name. */
  clientName: string | undefined;
  consentToken: string;
  signOutToken: string;
}

/** Shows what an app asks for and what is known of it (MCP 2026-07-28, security best practices, confused deputy). */
export function consentPage(c: PageContext, request: ConsentRequest): Response | Promise<Response> {
  const { query, person, memberships, consentToken, signOutToken } = request;
  const name = untrustedText(request.clientName ?? "") || "An unnamed app";
  const receiver = redirectReceiver(query.redirectUri);
  const active = memberships.find(({ tenantId }) => tenantId === person.tenantId) ?? memberships[0];
  const only = memberships.length === 1 ? active : undefined;
  return htmlPage(
    c,
    { title: "Allow this app to use your account?" },
    <>
      <p>
        <strong>
          <bdi>{name}</bdi>
        </strong>{" "}
        asks to:
      </p>
      <ScopeList scopes={query.scopes} person={person} />
      <dl class="card facts">
        <Client clientId={query.clientId} />
        {receiver && <Receiver receiver={receiver} />}
        {query.resources.map((resource) => (
          <>
            <dt>Access to</dt>
            <dd>{untrustedText(resource, 200)}</dd>
          </>
        ))}
        <dt>Signed in as</dt>
        <dd>
          <bdi>{untrustedText(person.name)}</bdi> (<bdi>{untrustedText(person.email, 254)}</bdi>)
        </dd>
        {only && (
          <>
            <dt>Organization</dt>
            <dd>
              <TenantName of={only} />
            </dd>
          </>
        )}
      </dl>
      <Warnings receiver={receiver} />
      <Form
        action="/consent"
        token={consentToken}
        carry={{ oauth_query: query.raw, user: person.userId, tenant: only?.tenantId }}
      >
        <AdminChoice scopes={query.scopes} person={person} />
        {!only && <TenantChoice memberships={memberships} active={active?.tenantId} />}
        <div class="buttons">
          <button type="submit" name="decision" value="allow" class="primary">
            Allow
          </button>
          <button type="submit" name="decision" value="deny">
            Deny
          </button>
        </div>
      </Form>
      <Form action="/sign-out" token={signOutToken} carry={{ oauth_query: query.raw }}>
        <p>
          Not you?{" "}
          <button type="submit" class="link">
            Sign out
          </button>
        </p>
      </Form>
    </>,
  );
}

/** The choice of the organization in which the app will act: a grant is for one tenant. */
export const TenantChoice: FC<{ memberships: readonly Membership[]; active: string | undefined }> = ({
  memberships,
  active,
}) => (
  <fieldset class="choices">
    <legend>Organization</legend>
    {memberships.map((membership) => (
      <label>
        <input
          type="radio"
          name="tenant"
          value={membership.tenantId}
          checked={membership.tenantId === active}
          required
        />
        <TenantName of={membership} />
      </label>
    ))}
  </fieldset>
);

const Receiver: FC<{ receiver: RedirectReceiver }> = ({ receiver }) => (
  <>
    <dt>Sends you to</dt>
    <dd>
      <strong>{receiver.kind === "app" ? `the app for ${receiver.scheme} links` : receiver.host}</strong>
    </dd>
  </>
);

const Warnings: FC<{ receiver: RedirectReceiver | undefined }> = ({ receiver }) => (
  <Notice tone="warning">
    <p>
      <strong>Nobody has verified this app.</strong> Its name was chosen by the person who registered it. Allow it only
      if you have just started connecting it yourself.
    </p>
    {receiver?.kind === "loopback" && (
      <p>
        This app receives access at <strong>{receiver.host}</strong>, on your computer (localhost). Any program that
        listens there gets the access.
      </p>
    )}
    {receiver?.kind === "app" && (
      <p>
        This app receives access through <strong>{receiver.scheme}</strong> links. Any program on this device that opens
        such links gets the access. After you allow it and the app opens, you can close this page.
      </p>
    )}
  </Notice>
);
