import type { ChangedBy } from "../../audit/event.ts";
import { cancelInvitation, invitationMail, invite } from "../../organizations/invitations.ts";
import { changeRole, findTeam, removeMember, type Team, type TeamChange } from "../../organizations/organizations.ts";
import { leaveTenant } from "../../grants/connected.ts";
import { actsIn, isManagerRole, isRole } from "../../identity/standing.ts";
import { RECORD_SECONDS } from "../../platform/outbox.ts";
import { AppError, isUnavailable } from "../../platform/errors.ts";
import { errorFields } from "../../platform/log.ts";
import { forPerson } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { notFoundPage } from "../frame/not-found.tsx";
import { changedBy, type SignedIn } from "../frame/session.ts";
import { teamPage } from "./page.tsx";
import { TEAMS_PATH } from "./organizations.tsx";
import { inWords } from "../frame/wait.ts";

const TEAM_ID = /^[\w-]{1,64}$/;
const EMAIL = /^[^\s@<>"\p{Cc}]{1,64}@[^\s@<>"\p{Cc}]{1,189}$/u;
const DONE = {
  role: "The role is changed.",
  removed: "The member is removed. What their apps could do here has ended.",
  invited: "The invitation is sent.",
  cancelled: "The invitation is cancelled.",
} as const;

type Answer = (c: PageContext, team: Team, person: SignedIn) => Response | Promise<Response>;

/** A page or post about one team, for its members; everybody else is told that there is none, after `otherwise`. */
function forMember(
  deps: WebDeps,
  answer: Answer,
  otherwise?: (c: PageContext, id: string, person: SignedIn) => Promise<void>,
) {
  return forPerson(deps, TEAMS_PATH, async (c, person) => {
    const id = c.req.param("team") ?? "";
    const team = TEAM_ID.test(id) ? await findTeam(deps.db, person.userId, id) : null;
    if (team) return answer(c, team, person);
    await otherwise?.(c, id, person);
    return notFoundPage(c, "There is no such team, or you are not in it.");
  });
}

/** `GET /dashboard/team/{team}`. */
export function showTeam(deps: WebDeps) {
  return forMember(deps, (c, team, person) => {
    const done = c.req.query("done") ?? "";
    const text = Object.hasOwn(DONE, done) ? DONE[done as keyof typeof DONE] : undefined;
    return teamPage(c, deps, { team, person }, text === undefined ? {} : { notice: { tone: "success", text } });
  });
}

/** `POST …/role`: gives a member another role. */
export function postRole(deps: WebDeps) {
  return forMember(deps, async (c, team, person) => {
    const form = c.get("form");
    const role = form.get("role") ?? "";
    if (!isRole(role)) return refusal(c, deps, { team, person }, "not_allowed");
    const change = { ...changedBy(c, person), teamId: team.id, userId: form.get("member") ?? "", role };
    const outcome = await changeRole(deps.grants.db, change);
    if (outcome === "done") await deps.flushOutbox();
    return outcome === "done" ? back(c, team, "role") : refusal(c, deps, { team, person }, outcome);
  });
}

/** `POST …/remove`: takes somebody out, or leaves. What their apps had in the team ends before the answer. */
export function postRemove(deps: WebDeps) {
  const remove: Answer = async (c, team, person) => {
    const userId = c.get("form").get("member") ?? "";
    const outcome = await removeMember(deps.grants.db, { ...changedBy(c, person), teamId: team.id, userId });
    // Also when they are out already: an attempt that failed after the removal is finished by the next one, here and in `finishLeaving`.
    const mayEnd = outcome === "done" || (outcome === "unknown" && isManagerRole(team.role));
    if (mayEnd) await endAccess(deps, { userId, tenantId: team.id }, changedBy(c, person));
    if (outcome !== "done") return refusal(c, deps, { team, person }, outcome);
    return userId === person.userId ? c.redirect(TEAMS_PATH, 303) : back(c, team, "removed");
  };
  const finishLeaving = async (c: PageContext, tenantId: string, person: SignedIn) => {
    const { userId } = person;
    const leaves = c.get("form").get("member") === userId && TEAM_ID.test(tenantId);
    if (leaves && !(await actsIn(deps.grants.db, userId, tenantId)))
      await endAccess(deps, { userId, tenantId }, changedBy(c, person));
  };
  return forMember(deps, remove, finishLeaving);
}

/** Who has left is out at the next call, by key and by token, once Redis has heard of it; then what apps were granted is taken back for good. */
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
  return forMember(deps, async (c, team, person) => {
    const form = c.get("form");
    const [email, role] = [(form.get("email") ?? "").trim().toLowerCase(), form.get("role") ?? ""];
    if (!EMAIL.test(email) || !isRole(role))
      return teamPage(c, deps, { team, person }, problem(400, "Enter an e-mail address such as name@example.com."));
    const outcome = await invite(deps.grants.db, { ...changedBy(c, person), teamId: team.id, email, role });
    switch (outcome.state) {
      case "invited":
        if (outcome.token !== null)
          deps.background(deps.sendMail(invitationMail(deps.config.BASE_URL, email, outcome.token)));
        return back(c, team, "invited");
      case "too_many":
        return teamPage(
          c,
          deps,
          { team, person },
          problem(429, "This team has sent twenty invitations today. Go on tomorrow."),
        );
      case "unknown":
      case "not_allowed":
        return refusal(c, deps, { team, person }, outcome.state);
      default:
        return outcome satisfies never;
    }
  });
}

/** `POST …/cancel`: takes an open invitation back. */
export function postCancel(deps: WebDeps) {
  return forMember(deps, async (c, team, person) => {
    const id = c.get("form").get("invitation") ?? "";
    const outcome = await cancelInvitation(deps.db, { ...changedBy(c, person), teamId: team.id, id });
    return outcome === "done" ? back(c, team, "cancelled") : refusal(c, deps, { team, person }, outcome);
  });
}

const back = (c: PageContext, team: Team, done: keyof typeof DONE) =>
  c.redirect(`${TEAMS_PATH}/${team.id}?done=${done}`, 303);

const problem = (status: 400 | 403 | 409 | 429, text: string) => ({
  status,
  notice: { tone: "danger" as const, text },
});

function refusal(
  c: PageContext,
  deps: WebDeps,
  seen: { team: Team; person: SignedIn },
  outcome: Exclude<TeamChange, "done">,
): Response | Promise<Response> {
  switch (outcome) {
    case "unknown":
      return notFoundPage(c, "There is no such member or invitation in this team.");
    case "not_allowed":
      return teamPage(c, deps, seen, problem(403, "Your role in this team does not allow that. Ask an owner."));
    case "last_owner":
      return teamPage(c, deps, seen, problem(409, "A team needs an owner. Make somebody else an owner first."));
    default:
      return outcome satisfies never;
  }
}
