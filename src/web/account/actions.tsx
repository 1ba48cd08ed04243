import { accountPage, type AccountState } from "./account.tsx";
import { requestAuth, type AuthAnswer } from "../frame/auth-request.ts";
import { dashboardPage } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { htmlPage, Notice } from "../frame/layout.tsx";
import { newPasswordProblem, waitText } from "../frame/new-password.tsx";
import type { SignedIn } from "../frame/session.ts";
import { untrustedText } from "../frame/untrusted.ts";

const PATH = "/dashboard/account";

type Action = (deps: WebDeps) => (c: PageContext, person: SignedIn) => Promise<Response>;

/** `POST /dashboard/account/name`. */
export const changeName: Action = (deps) => async (c, person) => {
  const name = (c.get("form").get("name") ?? "").trim();
  const problems = { name: "Enter a name of at most 100 characters." };
  if (name === "") return accountPage(c, deps, person, { problems, status: 400 });
  const answer = await requestAuth(c, deps, "/update-user", { name });
  if (answer.status === 200) return c.redirect(`${PATH}?done=name`, 303);
  return refused(c, deps, person, answer, "name", { problems, entered: { name }, status: 400 });
};

/** `POST /dashboard/account/password`: needs the current password and signs out all other browsers. */
export const changePassword: Action = (deps) => async (c, person) => {
  const form = c.get("form");
  const answer = await requestAuth(c, deps, "/change-password", {
    currentPassword: form.get("current_password") ?? "",
    newPassword: form.get("new_password") ?? "",
  });
  if (answer.status === 200) return c.redirect(`${PATH}?done=password`, 303);
  const problem = newPasswordProblem(answer);
  const problems = problem === undefined ? undefined : { new_password: problem };
  return refused(c, deps, person, answer, "current_password", { ...(problems && { problems }), status: 400 });
};

/**
 * `POST /dashboard/account/email`: sends a link to the new address. The answer is the same when another account has it.
 */
export const changeEmail: Action = (deps) => async (c, person) => {
  const form = c.get("form");
  const email = (form.get("new_email") ?? "").trim();
  const answer = await requestAuth(c, deps, "/change-email", {
    newEmail: email,
    password: form.get("email_password") ?? "",
  });
  if (answer.status !== 200) {
    const problem = ADDRESS_PROBLEMS[answer.code];
    const problems = problem === undefined ? undefined : { new_email: problem };
    const state: AccountState = { ...(problems && { problems }), entered: { new_email: email }, status: 400 };
    return refused(c, deps, person, answer, "email_password", state);
  }
  const done = (
    <>
      If <bdi>{untrustedText(email, 254)}</bdi> can be used here, we have sent a link to it. Open the link in this
      browser and confirm. Until then your address stays the same. The link is valid for one hour.
    </>
  );
  return accountPage(c, deps, person, { done });
};

const ADDRESS_PROBLEMS: Readonly<Record<string, string>> = {
  ADDRESS_NOT_ALLOWED: "This gateway doesn't accept addresses at this domain. Ask its operator.",
  SAME_ADDRESS: "This is already the address of your account.",
  VALIDATION_ERROR: "Enter an email address such as name@example.com.",
};

/** `POST /dashboard/account/delete`: deletes the account immediately. */
export const deleteAccount: Action = (deps) => async (c, person) => {
  const form = c.get("form");
  const email = form.get("delete_email") ?? "";
  const answer = await requestAuth(c, deps, "/delete-user", { email, password: form.get("delete_password") ?? "" });
  if (answer.status === 200) return deletedPage(c);
  if (answer.code === "LAST_OWNER") return lastOwnerPage(c, deps, person, answer);
  const problems =
    answer.code === "ADDRESS_MISMATCH" ? { delete_email: "This is not the address of the account." } : undefined;
  const state: AccountState = { ...(problems && { problems }), entered: { delete_email: email }, status: 400 };
  return refused(c, deps, person, answer, "delete_password", state);
};

/** Shows the page again with the problem at its field, or the sign-in page when the session has ended. */
function refused(
  c: PageContext,
  deps: WebDeps,
  person: SignedIn,
  answer: AuthAnswer,
  passwordField: keyof NonNullable<AccountState["problems"]>,
  state: AccountState,
): Response | Promise<Response> {
  if (answer.status === 401)
    return c.redirect(`${deps.config.LOGIN_PAGE}?${new URLSearchParams({ next: PATH }).toString()}`, 303);
  if (answer.status === 429) {
    c.header("retry-after", String(answer.retryAfter));
    return accountPage(c, deps, person, { ...state, problems: { [passwordField]: waitText(answer) }, status: 429 });
  }
  const problems = state.problems ?? { [passwordField]: "This is not the password of your account." };
  return accountPage(c, deps, person, { ...state, problems });
}

function deletedPage(c: PageContext) {
  return htmlPage(
    c,
    { title: "Account deleted" },
    <>
      <Notice tone="success">Your account was deleted. Its API keys and the access of its apps have ended.</Notice>
      <p>
        <a href="/">Go to the start page</a>
      </p>
    </>,
  );
}

function lastOwnerPage(c: PageContext, deps: WebDeps, person: SignedIn, { body }: AuthAnswer) {
  const organizations: unknown = body["organizations"];
  const names = Array.isArray(organizations) ? organizations.filter((name) => typeof name === "string") : [];
  return dashboardPage(
    c,
    deps,
    { title: "Transfer ownership first", current: PATH, person, status: 409 },
    <>
      <Notice tone="warning">
        Nothing was deleted. You are the only owner of an organization that has other members:
      </Notice>
      <ul class="list">
        {names.map((name) => (
          <li>
            <bdi>{untrustedText(name)}</bdi>
          </li>
        ))}
      </ul>
      <p>
        Make another member an owner on the page <a href="/dashboard/organizations">Organizations</a>, or remove the
        other members. Then <a href={PATH}>delete the account</a>.
      </p>
    </>,
  );
}
