import type { ChangedBy } from "../../audit/event.ts";
import { cancelInvitation, invitationMail, invite } from "../../organizations/invitations.ts";
import {
  changeRole,
  findOrganization,
  removeMember,
  type Organization,
  type OrganizationChange,
} from "../../organizations/organizations.ts";
import { leaveTenant } from "../../grants/connected.ts";
import { actsIn, isManagerRole, isRole } from "../../identity/standing.ts";
import { RECORD_SECONDS } from "../../platform/outbox.ts";
import { AppError, isUnavailable } from "../../platform/errors.ts";
import { errorFields } from "../../platform/log.ts";
import { forPerson } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { notFoundPage } from "../frame/not-found.tsx";
import { changedBy, type SignedIn } from "../frame/session.ts";
import { organizationPage } from "./page.tsx";
import { ORGANIZATIONS_PATH } from "./organizations.tsx";
import { inWords } from "../frame/time.tsx";

const ORGANIZATION_ID = /^[\w-]{1,64}$/;
const EMAIL = /^[^\s@<>"\p{Cc}]{1,64}@[^\s@<>"\p{Cc}]{1,189}$/u;
const DONE = {
  role: "The role was changed.",
  removed: "The member was removed. Their apps no longer have access to this organization.",
  invited: "The invitation was sent.",
  cancelled: "The invitation was cancelled.",
} as const;

type Answer = (c: PageContext, organization: Organization, person: SignedIn) => Response | Promise<Response>;

/**
 * Handles a request about one organization for its members. Everybody else gets "not found", after `otherwise` has run.
 */
function forMember(
  deps: WebDeps,
  answer: Answer,
  otherwise?: (c: PageContext, id: string, person: SignedIn) => Promise<void>,
) {
  return forPerson(deps, ORGANIZATIONS_PATH, async (c, person) => {
    const id = c.req.param("organization") ?? "";
    const organization = ORGANIZATION_ID.test(id) ? await findOrganization(deps.db, person.userId, id) : null;
    if (organization) return answer(c, organization, person);
    await otherwise?.(c, id, person);
    return notFoundPage(c, "There is no such organization, or you are not in it.");
  });
}

/** `GET /dashboard/organizations/{organization}`. */
export function showOrganization(deps: WebDeps) {
  return forMember(deps, (c, organization, person) => {
    const done = c.req.query("done") ?? "";
    const text = Object.hasOwn(DONE, done) ? DONE[done as keyof typeof DONE] : undefined;
    return organizationPage(
      c,
      deps,
      { organization, person },
      text === undefined ? {} : { notice: { tone: "success", text } },
    );
  });
}

/** `POST …/role`: gives a member another role. */
export function postRole(deps: WebDeps) {
  return forMember(deps, async (c, organization, person) => {
    const form = c.get("form");
    const role = form.get("role") ?? "";
    if (!isRole(role)) return refusal(c, deps, { organization, person }, "not_allowed");
    const change = { ...changedBy(c, person), organizationId: organization.id, userId: form.get("member") ?? "", role };
    const outcome = await changeRole(deps.grants.db, change);
    if (outcome === "done") await deps.flushOutbox();
    return outcome === "done" ? back(c, organization, "role") : refusal(c, deps, { organization, person }, outcome);
  });
}

/** `POST …/remove`: removes a member, or leaves. Their apps lose access to the organization before the response. */
export function postRemove(deps: WebDeps) {
  const remove: Answer = async (c, organization, person) => {
    const userId = c.get("form").get("member") ?? "";
    const outcome = await removeMember(deps.grants.db, {
      ...changedBy(c, person),
      organizationId: organization.id,
      userId,
    });
    // Also when the member is already removed: if an attempt failed after the removal, the next one finishes it, here
    // and in `finishLeaving`.
    const mayEnd = outcome === "done" || (outcome === "unknown" && isManagerRole(organization.role));
    if (mayEnd) await endAccess(deps, { userId, tenantId: organization.id }, changedBy(c, person));
    if (outcome !== "done") return refusal(c, deps, { organization, person }, outcome);
    return userId === person.userId ? c.redirect(ORGANIZATIONS_PATH, 303) : back(c, organization, "removed");
  };
  const finishLeaving = async (c: PageContext, tenantId: string, person: SignedIn) => {
    const { userId } = person;
    const leaves = c.get("form").get("member") === userId && ORGANIZATION_ID.test(tenantId);
    if (leaves && !(await actsIn(deps.grants.db, userId, tenantId)))
      await endAccess(deps, { userId, tenantId }, changedBy(c, person));
  };
  return forMember(deps, remove, finishLeaving);
}

/**
 * Ends the access of a member who has left. Once the outbox is flushed to Redis, their keys and tokens stop working at
 * the next call; then the grants of their apps are revoked.
 */
async function endAccess(deps: WebDeps, left: { userId: string; tenantId: string }, by: ChangedBy): Promise<void> {
  try {
    await deps.flushOutbox();
    await leaveTenant(deps.grants, left, by);
  } catch (error) {
    const isPending = error instanceof AppError && error.code === "revocation_pending";
    if (!isPending && !isUnavailable(error)) throw error;
    const wait = inWords(RECORD_SECONDS);
    throw new AppError("unavailable", `Apps may keep their access for up to ${wait}. Reload this page to end it now.`, {
      internal: JSON.stringify(errorFields(error)),
      headers: { "retry-after": "5" },
    });
  }
}

/** `POST …/invite`: the answer is the same whether or not the address has an account. */
export function postInvite(deps: WebDeps) {
  return forMember(deps, async (c, organization, person) => {
    const form = c.get("form");
    const [email, role] = [(form.get("email") ?? "").trim().toLowerCase(), form.get("role") ?? ""];
    if (!EMAIL.test(email) || !isRole(role))
      return organizationPage(
        c,
        deps,
        { organization, person },
        problem(400, "Enter an email address such as name@example.com."),
      );
    const outcome = await invite(deps.grants.db, {
      ...changedBy(c, person),
      organizationId: organization.id,
      email,
      role,
    });
    switch (outcome.state) {
      case "invited":
        if (outcome.token !== null)
          deps.background(deps.sendMail(invitationMail(deps.config.BASE_URL, email, outcome.token)));
        return back(c, organization, "invited");
      case "too_many":
        return organizationPage(
          c,
          deps,
          { organization, person },
          problem(429, "This organization has sent 20 invitations in the last 24 hours. Try again later."),
        );
      case "unknown":
      case "not_allowed":
        return refusal(c, deps, { organization, person }, outcome.state);
      default:
        return outcome satisfies never;
    }
  });
}

/** `POST …/cancel`: withdraws an open invitation. */
export function postCancel(deps: WebDeps) {
  return forMember(deps, async (c, organization, person) => {
    const id = c.get("form").get("invitation") ?? "";
    const outcome = await cancelInvitation(deps.db, { ...changedBy(c, person), organizationId: organization.id, id });
    return outcome === "done"
      ? back(c, organization, "cancelled")
      : refusal(c, deps, { organization, person }, outcome);
  });
}

const back = (c: PageContext, organization: Organization, done: keyof typeof DONE) =>
  c.redirect(`${ORGANIZATIONS_PATH}/${organization.id}?done=${done}`, 303);

const problem = (status: 400 | 403 | 409 | 429, text: string) => ({
  status,
  notice: { tone: "danger" as const, text },
});

function refusal(
  c: PageContext,
  deps: WebDeps,
  seen: { organization: Organization; person: SignedIn },
  outcome: Exclude<OrganizationChange, "done">,
): Response | Promise<Response> {
  switch (outcome) {
    case "unknown":
      return notFoundPage(c, "There is no such member or invitation in this organization.");
    case "not_allowed":
      return organizationPage(
        c,
        deps,
        seen,
        problem(403, "Your role in this organization does not allow that. Ask an owner."),
      );
    case "last_owner":
      return organizationPage(
        c,
        deps,
        seen,
        problem(409, "An organization needs an owner. Make another member an owner first."),
      );
    default:
      return outcome satisfies never;
  }
}
