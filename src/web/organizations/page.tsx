import type { FC } from "hono/jsx";
import type { OpenInvitation, Organization, OrganizationMember } from "../../organizations/organizations.ts";
import { isManagerRole, LEAST_ROLE, mayManageRole, ROLES, type Role } from "../../identity/standing.ts";
import { dashboardPage } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { Field, Form } from "../frame/fields.tsx";
import { Notice } from "../frame/layout.tsx";
import { formToken } from "../frame/protected-form.tsx";
import type { SignedIn } from "../frame/session.ts";
import { Time } from "../frame/time.tsx";
import { ORGANIZATIONS_PATH } from "./organizations.tsx";
import { untrustedText } from "../frame/untrusted.ts";

/** The names of the roles, for display. */
export const ROLE_NAMES: Record<Role, string> = { owner: "Owner", admin: "Administrator", member: "Member" };

interface OrganizationPageState {
  notice?: { tone: "success" | "danger"; text: string };
  status?: 200 | 400 | 403 | 409 | 429;
}

/** The page of one organization: its members and invitations, with the forms that the viewer's role allows. */
export async function organizationPage(
  c: PageContext,
  deps: WebDeps,
  { organization, person }: { organization: Organization; person: SignedIn },
  { notice, status = 200 }: OrganizationPageState = {},
) {
  const base = `${ORGANIZATIONS_PATH}/${organization.id}`;
  const tokens = {
    role: await formToken(c, deps, "organization-role"),
    remove: await formToken(c, deps, "organization-remove"),
    invite: await formToken(c, deps, "organization-invite"),
    cancel: await formToken(c, deps, "organization-cancel"),
  };
  const mayManage = isManagerRole(organization.role);
  return dashboardPage(
    c,
    deps,
    { title: "Organization", current: ORGANIZATIONS_PATH, person, status },
    <>
      <p>
        <strong>
          <bdi>{untrustedText(organization.name) || "Unnamed organization"}</bdi>
        </strong>{" "}
        <span class="muted">(your role: {ROLE_NAMES[organization.role]})</span>
      </p>
      {notice && <Notice tone={notice.tone}>{notice.text}</Notice>}
      <section class="stack" aria-labelledby="members">
        <h2 id="members">Members</h2>
        {organization.members.map((member) => (
          <Member
            member={member}
            organization={organization}
            isSelf={member.userId === person.userId}
            tokens={tokens}
            base={base}
          />
        ))}
      </section>
      {mayManage && (
        <section class="stack" aria-labelledby="invitations">
          <h2 id="invitations">Invitations</h2>
          {organization.invitations.map((invitation) => (
            <Pending invitation={invitation} token={tokens.cancel} base={base} />
          ))}
          <div class="card">
            <Form action={`${base}/invite`} token={tokens.invite}>
              <Field name="email" label="Email" type="email" autocomplete="off" maxlength={254} />
              <RoleChoice id="invite-role" role={LEAST_ROLE} roles={rolesFor(organization.role)} />
              <div>
                <button type="submit" class="primary">
                  Invite
                </button>
              </div>
            </Form>
          </div>
        </section>
      )}
    </>,
  );
}

/** The roles that a member with this role may give to others. */
const rolesFor = (role: Role) => ROLES.filter((one) => mayManageRole(role, one));

const RoleChoice: FC<{ id: string; role: Role; roles: readonly Role[] }> = ({ id, role, roles }) => (
  <div class="field">
    <label for={id}>Role</label>
    <select id={id} name="role">
      {roles.map((one) => (
        <option value={one} selected={one === role}>
          {ROLE_NAMES[one]}
        </option>
      ))}
    </select>
  </div>
);

interface MemberProps {
  member: OrganizationMember;
  organization: Organization;
  isSelf: boolean;
  tokens: { role: string; remove: string };
  base: string;
}

const Member: FC<MemberProps> = ({ member, organization, isSelf, tokens, base }) => {
  const mayChange = mayManageRole(organization.role, member.role);
  const carry = { member: member.userId };
  return (
    <div class="card stack">
      <p>
        <bdi>{untrustedText(member.name)}</bdi> (<bdi>{untrustedText(member.email, 254)}</bdi>){isSelf ? ", you" : ""}:{" "}
        {ROLE_NAMES[member.role]}
      </p>
      {mayChange && (
        <Form action={`${base}/role`} token={tokens.role} carry={carry}>
          <RoleChoice id={`role-${member.userId}`} role={member.role} roles={rolesFor(organization.role)} />
          <div>
            <button type="submit">Change role</button>
          </div>
        </Form>
      )}
      {(mayChange || isSelf) && (
        <Form action={`${base}/remove`} token={tokens.remove} carry={carry}>
          <div>
            <button type="submit">{isSelf ? "Leave organization" : "Remove from organization"}</button>
          </div>
        </Form>
      )}
    </div>
  );
};

const Pending: FC<{ invitation: OpenInvitation; token: string; base: string }> = ({ invitation, token, base }) => (
  <div class="card stack">
    <p>
      <bdi>{untrustedText(invitation.email, 254)}</bdi>: {ROLE_NAMES[invitation.role]}, open until{" "}
      <Time at={invitation.expiresAt} />
    </p>
    <Form action={`${base}/cancel`} token={token} carry={{ invitation: invitation.id }}>
      <div>
        <button type="submit">Cancel invitation</button>
      </div>
    </Form>
  </div>
);
