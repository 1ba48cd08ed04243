import { requestAuth } from "../frame/auth-request.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { errorPage } from "../frame/error.tsx";
import { Field, Form } from "../frame/fields.tsx";
import { htmlPage, Notice } from "../frame/layout.tsx";
import { waitText } from "../frame/new-password.tsx";
import { readOAuthQuery, type OAuthQuery } from "../frame/oauth-query.ts";
import { formToken } from "../frame/protected-form.tsx";
import { untrustedText } from "../frame/untrusted.ts";

const MAX_EMAIL = 254;

/**
 * `GET /forgot-password`: asks for the email address. The signed query of an authorization is kept, to continue there.
 */
export function showForgotPassword(deps: WebDeps) {
  return async (c: PageContext) => {
    const query = await readOAuthQuery(new URL(c.req.url).search.slice(1), deps.config.BETTER_AUTH_SECRETS, Date.now());
    return query === "forged" ? errorPage(c, "invalid_signature") : forgotPage(c, deps, { query });
  };
}

/** `POST /forgot-password`: sends the link if the account exists. The answer does not reveal whether it does. */
export function forgotPassword(deps: WebDeps) {
  return async (c: PageContext) => {
    const form = c.get("form");
    const email = (form.get("email") ?? "").trim();
    const query = await readOAuthQuery(form.get("oauth_query") ?? "", deps.config.BETTER_AUTH_SECRETS, Date.now());
    if (query === "forged") return errorPage(c, "invalid_signature");
    const answer = await requestAuth(c, deps, "/request-password-reset", {
      email,
      ...(query && { redirectTo: `/sign-in?${query.raw}` }),
    });
    if (answer.status === 200) return sentPage(c, deps, email);
    if (answer.status === 429) {
      c.header("retry-after", String(answer.retryAfter));
      return forgotPage(c, deps, { query, email, problem: waitText(answer), status: 429 });
    }
    const problem = "Enter an email address such as name@example.com.";
    return forgotPage(c, deps, { query, email, problem, status: 400 });
  };
}

interface ForgotState {
  query: OAuthQuery | undefined;
  email?: string;
  problem?: string;
  status?: 200 | 400 | 429;
}

async function forgotPage(c: PageContext, deps: WebDeps, { query, email, problem, status = 200 }: ForgotState) {
  return htmlPage(
    c,
    { title: "Forgot your password?", status },
    <>
      <p>Enter the email address of your account. We'll send you a link to choose a new password.</p>
      <div class="card">
        <Form
          action="/forgot-password"
          token={await formToken(c, deps, "forgot-password")}
          carry={{ oauth_query: query?.raw }}
        >
          <Field
            name="email"
            label="Email"
            type="email"
            autocomplete="username"
            value={email}
            problem={problem}
            maxlength={MAX_EMAIL}
          />
          <button type="submit" class="primary">
            Send link
          </button>
        </Form>
      </div>
      <p>
        <a href={query ? `${deps.config.LOGIN_PAGE}?${query.raw}` : deps.config.LOGIN_PAGE}>Back to sign in</a>
      </p>
    </>,
  );
}

function sentPage(c: PageContext, deps: WebDeps, email: string) {
  return htmlPage(
    c,
    { title: "Check your email" },
    <>
      <Notice tone="success">
        If there is an account for <bdi>{untrustedText(email, MAX_EMAIL)}</bdi>, we have sent a link to it.
      </Notice>
      <p>Open the link to choose a new password. Until then your old password works.</p>
      <p class="muted">
        The link is valid for 30 minutes and works once. No email? Look in your spam folder. We send at most three of
        these per hour. <a href={deps.config.LOGIN_PAGE}>Sign in</a>
      </p>
    </>,
  );
}
