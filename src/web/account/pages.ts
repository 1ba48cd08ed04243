import type { Hono, MiddlewareHandler } from "hono";
import { changeEmail, changeName, changePassword, deleteAccount } from "./actions.tsx";
import { ACCOUNT_FORMS, showAccount } from "./account.tsx";
import { confirmAddress, showConfirmAddress } from "./confirm-address.tsx";
import { forPerson } from "../frame/dashboard.tsx";
import type { PageEnv, WebDeps } from "../frame/deps.ts";
import { forgotPassword, showForgotPassword } from "./forgot-password.tsx";
import { resetPassword, showResetPassword } from "./reset-password.tsx";

const ACCOUNT = "/dashboard/account";
const ACTIONS = { name: changeName, password: changePassword, email: changeEmail, delete: deleteAccount };

/** The account page, and the pages for a forgotten password. `form` protects the posts of one purpose. */
export function addAccountPages(
  pages: Hono<PageEnv>,
  deps: WebDeps,
  form: (purpose: string) => MiddlewareHandler<PageEnv>,
): void {
  const forOwner = (answer: Parameters<typeof forPerson>[2]) => forPerson(deps, ACCOUNT, answer);
  pages.get("/forgot-password", showForgotPassword(deps));
  pages.post("/forgot-password", form("forgot-password"), forgotPassword(deps));
  pages.get("/reset-password", showResetPassword(deps));
  pages.post("/reset-password", form("reset-password"), resetPassword(deps));
  pages.get(ACCOUNT, forOwner(showAccount(deps)));
  for (const name of ACCOUNT_FORMS)
    pages.post(`${ACCOUNT}/${name}`, form(`account-${name}`), forOwner(ACTIONS[name](deps)));
  pages.get(`${ACCOUNT}/confirm-address`, showConfirmAddress(deps));
  pages.post(`${ACCOUNT}/confirm-address`, form("confirm-address"), forOwner(confirmAddress(deps)));
}
