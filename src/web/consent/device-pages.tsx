import type { FC } from "hono/jsx";
import type { Membership } from "../../identity/tenants.ts";
import { Client, TenantName } from "../frame/names.tsx";
import { AdminChoice, ScopeList } from "./scopes.tsx";
import { TenantChoice } from "./page.tsx";
import type { PageContext } from "../frame/deps.ts";
import { Field, Form } from "../frame/fields.tsx";
import { htmlPage, Notice } from "../frame/layout.tsx";
import type { SignedIn } from "../frame/session.ts";
import { untrustedText } from "../frame/untrusted.ts";

export const DEVICE_PATH = "/device";
export const DECIDE_PATH = "/device/decide";

interface CodeForm {
  person: SignedIn;
  /** Value of the field. A link can fill it in, but only the person can submit it. */
  code: string | undefined;
  deviceToken: string;
  signOutToken: string;
  problem?: string;
  status?: 200 | 400 | 429;
}

/** Asks for the code that a device shows. */
export function codePage(c: PageContext, { status = 200, ...form }: CodeForm): Response | Promise<Response> {
  return htmlPage(
    c,
    { title: "Connect a device", status },
    <>
      <p>
        Enter the code shown on the device or in the app. Before you decide, you will see which app asks for which
        permissions.
      </p>
      <div class="card">
        <Form action={DEVICE_PATH} token={form.deviceToken}>
          <Field
            name="user_code"
            label="Code"
            type="text"
            autocomplete="off"
            value={form.code}
            hint="Eight letters, such as BCDF-GHJK"
            problem={form.problem}
            maxlength={40}
          />
          <button type="submit" class="primary">
            Continue
          </button>
        </Form>
      </div>
      <SignedInAs person={form.person} signOutToken={form.signOutToken} />
    </>,
  );
}

interface DeviceRequest {
  person: SignedIn;
  memberships: readonly Membership[];
  userCode: string;
  clientId: string;
  clientName: string | undefined;
  scopes: readonly string[];
  resources: readonly string[];
  decideToken: string;
  signOutToken: string;
}

/**
 * Shows what a device asks for (RFC 8628 §3.3). We do not know where the device is: an attacker can send the code of
 * their own device to somebody else and get access as that person. Hence the warning (§5.4).
 */
export function deviceRequestPage(c: PageContext, request: DeviceRequest): Response | Promise<Response> {
  const { person, memberships, userCode } = request;
  const active = memberships.find(({ tenantId }) => tenantId === person.tenantId) ?? memberships[0];
  const only = memberships.length === 1 ? active : undefined;
  return htmlPage(
    c,
    { title: "Allow this device to use your account?" },
    <>
      <p>
        <strong>
          <bdi>{untrustedText(request.clientName ?? "") || "An unnamed app"}</bdi>
        </strong>{" "}
        asks to:
      </p>
      <ScopeList scopes={request.scopes} person={person} />
      <dl class="card facts">
        <Client clientId={request.clientId} />
        <dt>Code</dt>
        <dd>
          <code>{userCode}</code>
        </dd>
        {request.resources.map((resource) => (
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
      <Notice tone="warning">
        <p>
          <strong>Approve only if you started this on your own device</strong>, and it shows this code. If somebody sent
          you the code or a link, deny it: they would get access to your account.
        </p>
        <p>Nobody has verified this app. Its name was chosen by the person who registered it.</p>
      </Notice>
      <Form
        action={DECIDE_PATH}
        token={request.decideToken}
        carry={{ user_code: userCode, user: person.userId, tenant: only?.tenantId }}
      >
        <AdminChoice scopes={request.scopes} person={person} />
        {!only && <TenantChoice memberships={memberships} active={active?.tenantId} />}
        <div class="buttons">
          <button type="submit" name="decision" value="approve" class="primary">
            Approve
          </button>
          <button type="submit" name="decision" value="deny">
            Deny
          </button>
        </div>
      </Form>
      <SignedInAs person={person} signOutToken={request.signOutToken} />
    </>,
  );
}

/** Whose account this is, with a way to sign out. Another person opens the page again after signing in. */
const SignedInAs: FC<{ person: SignedIn; signOutToken: string }> = ({ person, signOutToken }) => (
  <Form action="/sign-out" token={signOutToken}>
    <p class="muted small">
      Signed in as <bdi>{untrustedText(person.name)}</bdi>.{" "}
      <button type="submit" class="link">
        Sign out
      </button>
    </p>
  </Form>
);

/** The last page in this browser. The device continues by itself. */
export function decidedPage(c: PageContext, approved: boolean): Response | Promise<Response> {
  return htmlPage(
    c,
    { title: approved ? "The device is connected" : "The device was denied" },
    approved ? (
      <>
        <p>Go back to the device: it continues within a few seconds. You can close this page.</p>
        <p>
          To end its access, disconnect it under <a href="/dashboard/apps">connected apps</a>.
        </p>
      </>
    ) : (
      <p>Nothing was shared. You can close this page.</p>
    ),
  );
}
