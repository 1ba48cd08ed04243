import { requestAuth } from "./auth-request.ts";
import type { PageContext, WebDeps } from "./deps.ts";
import { Form } from "./fields.tsx";
import { htmlPage, Notice } from "./layout.tsx";
import { formToken } from "./protected-form.tsx";
import { signInPath } from "./redirect.ts";
import { inWords } from "./wait.ts";

/** `GET /verify-email`: asks for a click. Mail scanners open links, so opening one changes nothing. */
export function showVerifyEmail(deps: WebDeps) {
  return async (c: PageContext) => {
    const token = c.req.query("token") ?? "";
    if (token === "") return expiredLinkPage(c, deps);
    return htmlPage(
      c,
      { title: "Confirm your e-mail address" },
      <>
        <p>One click, then you can sign in.</p>
        <Form
          action="/verify-email"
          token={await formToken(c, deps, "verify-email")}
          carry={{ token, next: c.req.query("next") }}
        >
          <button type="submit" class="primary">
            Confirm address
          </button>
        </Form>
      </>,
    );
  };
}

/** `POST /verify-email`: confirms the address and leads to the login, where a waiting authorization goes on. */
export function verifyEmail(deps: WebDeps) {
  return async (c: PageContext) => {
    const form = c.get("form");
    const search = new URLSearchParams({ token: form.get("token") ?? "" });
    const { status, retryAfter } = await requestAuth(c, deps, `/verify-email?${search.toString()}`);
    if (status === 429) {
      c.header("retry-after", String(retryAfter));
      return htmlPage(
        c,
        { title: "Too many attempts", status },
        <p>Wait {inWords(retryAfter)}, then open the link in the mail again.</p>,
      );
    }
    if (status !== 200) return expiredLinkPage(c, deps);
    return htmlPage(
      c,
      { title: "Address confirmed" },
      <>
        <Notice tone="success">Your e-mail address is confirmed.</Notice>
        <p>
          <a href={signInPath(form.get("next"), deps.config.LOGIN_PAGE)}>Sign in</a>
        </p>
      </>,
    );
  };
}

function expiredLinkPage(c: PageContext, deps: WebDeps) {
  return htmlPage(
    c,
    { title: "This link has expired or was used", status: 400 },
    <p>
      Links in mails are valid for one hour. <a href={deps.config.LOGIN_PAGE}>Sign in</a> with your password: if the
      address is not confirmed yet, you get a new link.
    </p>,
  );
}
