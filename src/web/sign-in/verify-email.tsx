import { getCookie } from "hono/cookie";
import { isMarked } from "../../accounts/browser-mark.ts";
import { requestAuth } from "../frame/auth-request.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { Form } from "../frame/fields.tsx";
import { formCookieName } from "../frame/form.ts";
import { htmlPage, Notice } from "../frame/layout.tsx";
import { newPasswordProblem, NewPasswordField } from "../frame/new-password.tsx";
import { formToken } from "../frame/protected-form.tsx";
import { signInPath } from "../frame/redirect.ts";
import { inWords } from "../frame/time.tsx";

/** The parameters of the link in the email. */
interface Link {
  token: string;
  /** The mark of the browser in which a click is enough. */
  browser: string | undefined;
  next: string | undefined;
}

const linkOf = (parameters: URLSearchParams): Link => ({
  token: parameters.get("token") ?? "",
  browser: parameters.get("browser") ?? undefined,
  next: parameters.get("next") ?? undefined,
});

/**
 * `GET /verify-email`: asks for a click, or for a password. Mail scanners open links, so opening one changes nothing.
 */
export function showVerifyEmail(deps: WebDeps) {
  return async (c: PageContext) => {
    const link = linkOf(new URL(c.req.url).searchParams);
    return link.token === "" ? expiredLinkPage(c, deps) : verifyPage(c, deps, link);
  };
}

/** `POST /verify-email`: confirms the address. The sign-in page that follows continues a waiting authorization. */
export function verifyEmail(deps: WebDeps) {
  return async (c: PageContext) => {
    const form = c.get("form");
    const link = linkOf(form);
    const { token, browser = "" } = link;
    const newPassword = form.get("password");
    const answer =
      newPassword === null
        ? await requestAuth(c, deps, `/verify-email?${new URLSearchParams({ token, browser }).toString()}`)
        : await requestAuth(c, deps, "/reset-password", { token, newPassword });
    const { status, retryAfter } = answer;
    if (status === 429) {
      c.header("retry-after", String(retryAfter));
      return htmlPage(
        c,
        { title: "Too many attempts", status },
        <p>Wait {inWords(retryAfter)}, then open the link in the email again.</p>,
      );
    }
    const problem = newPasswordProblem(answer);
    if (problem !== undefined) return passwordPage(c, deps, link, problem);
    if (status !== 200) return expiredLinkPage(c, deps);
    // After a password was set, `next` is dropped: it was started in another browser, perhaps by somebody else.
    const next = newPassword === null ? (link.next ?? null) : null;
    return htmlPage(
      c,
      { title: "Address confirmed" },
      <>
        <Notice tone="success">
          Your email address is confirmed{newPassword === null ? "" : " and your password is set"}.
        </Notice>
        <p>
          <a href={signInPath(next, deps.config.LOGIN_PAGE)}>Sign in</a>
        </p>
      </>,
    );
  };
}

async function verifyPage(c: PageContext, deps: WebDeps, link: Link) {
  const { BASE_URL, BETTER_AUTH_SECRETS } = deps.config;
  const cookie = getCookie(c, formCookieName(BASE_URL.startsWith("https:")));
  if (!(await isMarked(BETTER_AUTH_SECRETS, link.token, cookie, link.browser))) return passwordPage(c, deps, link);
  return htmlPage(
    c,
    { title: "Confirm your email address" },
    <>
      <p>Confirm the address, then you can sign in.</p>
      <Form action="/verify-email" token={await formToken(c, deps, "verify-email")} carry={{ ...link }}>
        <button type="submit" class="primary">
          Confirm address
        </button>
      </Form>
    </>,
  );
}

async function passwordPage(c: PageContext, deps: WebDeps, link: Link, problem?: string) {
  return htmlPage(
    c,
    { title: "Confirm your email address", status: problem === undefined ? 200 : 400 },
    <>
      <p>
        You opened this link in a different browser. For your security, choose a new password. It replaces the password
        that was entered when the account was created.
      </p>
      <div class="card">
        <Form action="/verify-email" token={await formToken(c, deps, "verify-email")} carry={{ ...link }}>
          <NewPasswordField name="password" problem={problem} />
          <button type="submit" class="primary">
            Confirm address
          </button>
        </Form>
      </div>
      <p class="muted">Didn't create an account here? Close this page. Nothing will change.</p>
    </>,
  );
}

function expiredLinkPage(c: PageContext, deps: WebDeps) {
  return htmlPage(
    c,
    { title: "This link has expired or was used", status: 400 },
    <p>
      Links in emails are valid for one hour. <a href={deps.config.LOGIN_PAGE}>Sign in</a> with your password: if the
      address is not confirmed yet, you get a new link. Or <a href="/forgot-password">choose a new password</a>.
    </p>,
  );
}
