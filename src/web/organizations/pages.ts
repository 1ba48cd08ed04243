import type { Hono, MiddlewareHandler } from "hono";
import type { PageEnv, WebDeps } from "../frame/deps.ts";
import { answerInvite, showInvitation } from "./invite.tsx";
import { postCancel, postInvite, postRemove, postRole, showOrganization } from "./actions.ts";
import { postOrganization, showOrganizations, ORGANIZATIONS_PATH } from "./organizations.tsx";

/** Organizations and the invitations to them. `form` protects the posts of one purpose. */
export function addOrganizationPages(
  pages: Hono<PageEnv>,
  deps: WebDeps,
  form: (purpose: string) => MiddlewareHandler<PageEnv>,
): void {
  pages
    .get(ORGANIZATIONS_PATH, showOrganizations(deps))
    .post(ORGANIZATIONS_PATH, form("organization-create"), postOrganization(deps));
  pages.get(`${ORGANIZATIONS_PATH}/:organization`, showOrganization(deps));
  pages.post(`${ORGANIZATIONS_PATH}/:organization/role`, form("organization-role"), postRole(deps));
  pages.post(`${ORGANIZATIONS_PATH}/:organization/remove`, form("organization-remove"), postRemove(deps));
  pages.post(`${ORGANIZATIONS_PATH}/:organization/invite`, form("organization-invite"), postInvite(deps));
  pages.post(`${ORGANIZATIONS_PATH}/:organization/cancel`, form("organization-cancel"), postCancel(deps));
  pages.get("/invite/:token", showInvitation(deps));
  pages.post("/invite", form("invite"), answerInvite(deps));
}
