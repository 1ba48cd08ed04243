import { addressLink } from "../../accounts/link-token.ts";
import { requestAuth } from "../frame/auth-request.ts";
import { dashboardPage } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { Form } from "../frame/fields.tsx";
import { htmlPage } from "../frame/layout.tsx";
import { waitText } from "../frame/new-password.tsx";
import { formToken } from "../frame/protected-form.tsx";
import { signedIn, type SignedIn } from "../frame/session.ts";
import { untrustedText } from "../frame/untrusted.ts";

const PATH = "/dashboard/account";

/**
 * `GET /dashboard/account/confirm-address`: asks for confirmation of the new address. Opening the link changes nothing.
 */
export function showConfirmAddress(deps: WebDeps) {
  return async (c: PageContext) => {
    const token = c.req.query("token") ?? "";
    const claims = await addressLink.read(deps.config.BETTER_AUTH_SECRETS, token, Date.now());
    if (!claims) return uselessLinkPage(c);
    const person = await signedIn(c, deps, { fresh: true });
    if (!person) return signInFirstPage(c, deps);
    if (person.userId !== claims.userId) return uselessLinkPage(c);
    return dashboardPage(
      c,
      deps,
      { title: "Confirm your new email address", current: PATH, person },
      <div class="card stack">
        <p>
          The address of your account will change to <bdi>{untrustedText(claims.address, 254)}</bdi>. You will sign in
          with it, and all other browsers will be signed out.
        </p>
        <Form action={`${PATH}/confirm-address`} token={await formToken(c, deps, "confirm-address")} carry={{ token }}>
          <div>
            <button type="submit" class="primary">
              Use this address
            </button>
          </div>
        </Form>
      </div>,
    );
  };
}

/** `POST /dashboard/account/confirm-address`: changes the address, in a browser in which its account is signed in. */
export function confirmAddress(deps: WebDeps) {
  return async (c: PageContext, _person: SignedIn) => {
    const answer = await requestAuth(c, deps, "/confirm-new-email", { token: c.get("form").get("token") ?? "" });
    if (answer.status === 200) return c.redirect(`${PATH}?done=address`, 303);
    if (answer.status === 429) {
      c.header("retry-after", String(answer.retryAfter));
      return htmlPage(c, { title: "Too many attempts", status: 429 }, <p>{waitText(answer)}</p>);
    }
    return answer.status === 401 ? signInFirstPage(c, deps) : uselessLinkPage(c);
  };
}

function signInFirstPage(c: PageContext, deps: WebDeps) {
  return htmlPage(
    c,
    { title: "Sign in first", status: 403 },
    <p>
      Only the owner of the account can confirm the new address.{" "}
      <a href={`${deps.config.LOGIN_PAGE}?${new URLSearchParams({ next: PATH }).toString()}`}>Sign in</a> in this
      browser with your current address, then open the link in the email again.
    </p>,
  );
}

function uselessLinkPage(c: PageContext) {
  return htmlPage(
    c,
    { title: "This link cannot be used", status: 400 },
    <p>
      The link has expired or was used, it belongs to another account than the one that is signed in here, or the
      address is not available. Nothing was changed. <a href={PATH}>Go to your account</a>
    </p>,
  );
}
