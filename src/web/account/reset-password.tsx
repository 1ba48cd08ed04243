import { resetLink } from "../../accounts/link-token.ts";
import { requestAuth } from "../frame/auth-request.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { Form } from "../frame/fields.tsx";
import { htmlPage, Notice } from "../frame/layout.tsx";
import { newPasswordProblem, NewPasswordField, waitText } from "../frame/new-password.tsx";
import { formToken } from "../frame/protected-form.tsx";
import { signInPath } from "../frame/redirect.ts";

interface ResetState {
  token: string;
  next: string | null;
  problem?: string;
  status?: 200 | 400 | 429;
}

/** `GET /reset-password`: asks for the new password. Opening the link changes nothing: mail scanners open links too. */
export function showResetPassword(deps: WebDeps) {
  return async (c: PageContext) => {
    const parameters = new URL(c.req.url).searchParams;
    const token = parameters.get("token") ?? "";
    const claims = await resetLink.read(deps.config.BETTER_AUTH_SECRETS, token, Date.now());
    return claims ? resetPage(c, deps, { token, next: parameters.get("next") }) : usedLinkPage(c, deps);
  };
}

/**
 * `POST /reset-password`: sets the password and signs out every browser. The person then signs in, and a waiting
 * authorization continues from there.
 */
export function resetPassword(deps: WebDeps) {
  return async (c: PageContext) => {
    const form = c.get("form");
    const state = { token: form.get("token") ?? "", next: form.get("next") };
    const answer = await requestAuth(c, deps, "/reset-password", {
      token: state.token,
      newPassword: form.get("password") ?? "",
    });
    if (answer.status === 429) {
      c.header("retry-after", String(answer.retryAfter));
      return resetPage(c, deps, { ...state, problem: waitText(answer), status: 429 });
    }
    const problem = newPasswordProblem(answer);
    if (problem !== undefined) return resetPage(c, deps, { ...state, problem, status: 400 });
    if (answer.status !== 200) return usedLinkPage(c, deps);
    return htmlPage(
      c,
      { title: "Password changed" },
      <>
        <Notice tone="success">Your new password is set. All browsers were signed out of your account.</Notice>
        <p>
          <a href={signInPath(state.next, deps.config.LOGIN_PAGE)}>Sign in</a>
        </p>
        <p class="muted">
          Connected apps and API keys keep working. If somebody else may have known your password, check them after you
          sign in.
        </p>
      </>,
    );
  };
}

async function resetPage(c: PageContext, deps: WebDeps, { token, next, problem, status = 200 }: ResetState) {
  return htmlPage(
    c,
    { title: "Choose a new password", status },
    <div class="card">
      <Form
        action="/reset-password"
        token={await formToken(c, deps, "reset-password")}
        carry={{ token, next: next ?? undefined }}
      >
        <NewPasswordField name="password" problem={problem} />
        <button type="submit" class="primary">
          Set password
        </button>
      </Form>
    </div>,
  );
}

function usedLinkPage(c: PageContext, deps: WebDeps) {
  return htmlPage(
    c,
    { title: "This link has expired or was used", status: 400 },
    <>
      <p>Links to choose a new password are valid for 30 minutes and work once.</p>
      <p>
        If you have just set a password, <a href={deps.config.LOGIN_PAGE}>sign in</a> with it. Otherwise{" "}
        <a href="/forgot-password">get another link</a>.
      </p>
    </>,
  );
}
