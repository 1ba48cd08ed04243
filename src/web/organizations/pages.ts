import type { Hono, MiddlewareHandler } from "hono";
import type { PageEnv, WebDeps } from "../frame/deps.ts";
import { answerInvite, showInvitation } from "./invite.tsx";
import { postCancel, postInvite, postRemove, postRole, showTeam } from "./actions.ts";
import { makeTeam, showTeams, TEAMS_PATH } from "./organizations.tsx";

/** Teams and the invitations to them. `form` protects a post of one purpose. */
export function addTeamPages(
  pages: Hono<PageEnv>,
  deps: WebDeps,
  form: (purpose: string) => MiddlewareHandler<PageEnv>,
): void {
  pages.get(TEAMS_PATH, showTeams(deps)).post(TEAMS_PATH, form("team-create"), makeTeam(deps));
  pages.get(`${TEAMS_PATH}/:team`, showTeam(deps));
  pages.post(`${TEAMS_PATH}/:team/role`, form("team-role"), postRole(deps));
  pages.post(`${TEAMS_PATH}/:team/remove`, form("team-remove"), postRemove(deps));
  pages.post(`${TEAMS_PATH}/:team/invite`, form("team-invite"), postInvite(deps));
  pages.post(`${TEAMS_PATH}/:team/cancel`, form("team-cancel"), postCancel(deps));
  pages.get("/invite/:token", showInvitation(deps));
  pages.post("/invite", form("invite"), answerInvite(deps));
}
