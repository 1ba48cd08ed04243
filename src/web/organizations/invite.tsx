import { answerInvitation, findInvitation } from "../../organizations/invitations.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { Form } from "../frame/fields.tsx";
import { htmlPage, Notice } from "../frame/layout.tsx";
import { notFoundPage } from "../frame/not-found.tsx";
import { formToken } from "../frame/protected-form.tsx";
import { changedBy, signedIn } from "../frame/session.ts";
import { ROLE_NAMES } from "./page.tsx";
import { ORGANIZATIONS_PATH } from "./organizations.tsx";
import { untrustedText } from "../frame/untrusted.ts";

const TOKEN = /^[\w-]{43}$/;
const GONE =
  "This invitation is no longer valid: it was answered or cancelled, or it is older than seven days. Ask for a new one.";

/** `GET /invite/{token}`: shows the organization and who invites. Opening it does not answer the invitation. */
export function showInvitation(deps: WebDeps) {
  return (c: PageContext) => invitationPage(c, deps, c.req.param("token") ?? "");
}

/**
 * `POST /invite`: joins the organization, or declines. Only the person whose verified address was invited can do so.
 */
export function answerInvite(deps: WebDeps) {
  return async (c: PageContext) => {
    const form = c.get("form");
    const [token, decision] = [form.get("token") ?? "", form.get("decision")];
    const person = await signedIn(c, deps, { fresh: true });
    if (!person || !TOKEN.test(token) || (decision !== "accept" && decision !== "decline"))
      return invitationPage(c, deps, token);
    const accept = decision === "accept";
    const answered = await answerInvitation(deps.db, { token, accept, ...changedBy(c, person) });
    if (answered) return c.redirect(accept ? `${ORGANIZATIONS_PATH}/${answered.organizationId}` : "/dashboard", 303);
    return invitationPage(
      c,
      deps,
      token,
      "This invitation was sent to another email address than the one of your account.",
    );
  };
}

async function invitationPage(c: PageContext, deps: WebDeps, token: string, problem?: string) {
  const invitation = TOKEN.test(token) ? await findInvitation(deps.db, token) : null;
  if (!invitation) return notFoundPage(c, GONE);
  const person = await signedIn(c, deps, { fresh: true });
  const next = new URLSearchParams({ next: `/invite/${token}` }).toString();
  return htmlPage(
    c,
    { title: "You have been invited to an organization", status: problem === undefined ? 200 : 403 },
    <>
      {problem && <Notice tone="danger">{problem}</Notice>}
      <dl class="card facts">
        <dt>Organization</dt>
        <dd>
          <bdi>{untrustedText(invitation.organizationName) || "Unnamed organization"}</bdi>
        </dd>
        <dt>Invited by</dt>
        <dd>
          <bdi>{untrustedText(invitation.inviterName)}</bdi>
        </dd>
        <dt>Role</dt>
        <dd>{ROLE_NAMES[invitation.role]}</dd>
        {person && (
          <>
            <dt>Signed in as</dt>
            <dd>
              <bdi>{untrustedText(person.email, 254)}</bdi>
            </dd>
          </>
        )}
      </dl>
      {person ? (
        <Form action="/invite" token={await formToken(c, deps, "invite")} carry={{ token }}>
          <div class="buttons">
            <button type="submit" name="decision" value="accept" class="primary">
              Join organization
            </button>
            <button type="submit" name="decision" value="decline">
              Decline
            </button>
          </div>
        </Form>
      ) : (
        <p>
          <a href={`${deps.config.LOGIN_PAGE}?${next}`}>Sign in</a> with the address that was invited, or{" "}
          <a href={`/sign-up?${next}`}>create an account</a> for it.
        </p>
      )}
    </>,
  );
}
