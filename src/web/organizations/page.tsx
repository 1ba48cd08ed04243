import type { FC } from "hono/jsx";
import type { OpenInvitation, Team, TeamMember } from "../../organizations/organizations.ts";
import { isManagerRole, LEAST_ROLE, mayManageRole, ROLES, type Role } from "../../identity/standing.ts";
import { dashboardPage } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { Field, Form } from "../frame/fields.tsx";
import { Notice } from "../frame/layout.tsx";
import { formToken } from "../frame/protected-form.tsx";
import type { SignedIn } from "../frame/session.ts";
import { Time } from "../frame/time.tsx";
import { TEAMS_PATH } from "./organizations.tsx";
import { untrustedText } from "../frame/untrusted.ts";

/** The roles of a team in words. */
export const ROLE_NAMES: Record<Role, string> = { owner: "Owner", admin: "Administrator", member: "Member" };

interface TeamPageState {
  notice?: { tone: "success" | "danger"; text: string };
  status?: 200 | 400 | 403 | 409 | 429;
}

/** One team: its members, who is invited, and what the person who looks may do about it. */
export async function teamPage(
  c: PageContext,
  deps: WebDeps,
  { team, person }: { team: Team; person: SignedIn },
  { notice, status = 200 }: TeamPageState = {},
) {
  const base = `${TEAMS_PATH}/${team.id}`;
  const tokens = {
    role: await formToken(c, deps, "team-role"),
    remove: await formToken(c, deps, "team-remove"),
    invite: await formToken(c, deps, "team-invite"),
    cancel: await formToken(c, deps, "team-cancel"),
  };
  const mayManage = isManagerRole(team.role);
  return dashboardPage(
    c,
    deps,
    { title: "Team", current: TEAMS_PATH, person, status },
    <>
      <p>
        <strong>
          <bdi>{untrustedText(team.name) || "A team without a name"}</bdi>
        </strong>{" "}
        <span class="muted">(you: {ROLE_NAMES[team.role]})</span>
      </p>
      {notice && <Notice tone={notice.tone}>{notice.text}</Notice>}
      <section class="stack" aria-labelledby="members">
        <h2 id="members">Members</h2>
        {team.members.map((member) => (
          <Member member={member} team={team} isSelf={member.userId === person.userId} tokens={tokens} base={base} />
        ))}
      </section>
      {mayManage && (
        <section class="stack" aria-labelledby="invitations">
          <h2 id="invitations">Invitations</h2>
          {team.invitations.map((invitation) => (
            <Pending invitation={invitation} token={tokens.cancel} base={base} />
          ))}
          <div class="card">
            <Form action={`${base}/invite`} token={tokens.invite}>
              <Field name="email" label="E-mail" type="email" autocomplete="off" maxlength={254} />
              <RoleChoice id="invite-role" role={LEAST_ROLE} roles={rolesFor(team.role)} />
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

/** The roles that a member with this one may give. */
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
  member: TeamMember;
  team: Team;
  isSelf: boolean;
  tokens: { role: string; remove: string };
  base: string;
}

const Member: FC<MemberProps> = ({ member, team, isSelf, tokens, base }) => {
  const mayChange = mayManageRole(team.role, member.role);
  const carry = { member: member.userId };
  return (
    <div class="card stack">
      <p>
        <bdi>{untrustedText(member.name)}</bdi> (<bdi>{untrustedText(member.email, 254)}</bdi>){isSelf ? ", you" : ""}:{" "}
        {ROLE_NAMES[member.role]}
      </p>
      {mayChange && (
        <Form action={`${base}/role`} token={tokens.role} carry={carry}>
          <RoleChoice id={`role-${member.userId}`} role={member.role} roles={rolesFor(team.role)} />
          <div>
            <button type="submit">Change role</button>
          </div>
        </Form>
      )}
      {(mayChange || isSelf) && (
        <Form action={`${base}/remove`} token={tokens.remove} carry={carry}>
          <div>
            <button type="submit">{isSelf ? "Leave the team" : "Remove from the team"}</button>
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
        <button type="submit">Cancel the invitation</button>
      </div>
    </Form>
  </div>
);
