import type { FC } from "hono/jsx";
import { providersOf, type Provider } from "../../auth/providers/names.ts";
import { requestAuth, textOf } from "../frame/auth-request.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { errorPage } from "../frame/error.tsx";
import { Form } from "../frame/fields.tsx";
import { htmlPage } from "../frame/layout.tsx";
import { nextPage } from "../frame/redirect.ts";
import { readOAuthQuery, restartPath } from "../frame/oauth-query.ts";
import { inWords } from "../frame/time.tsx";

/** The path to which the buttons of other sign-in providers post. */
export const PROVIDER_PATH = "/sign-in/provider";

/** A button for each provider. `carry` are hidden fields that say what to continue afterwards. */
export const ProviderButtons: FC<{
  providers: readonly Provider[];
  token: string;
  carry: Readonly<Record<string, string | undefined>>;
}> = ({ providers, token, carry }) =>
  providers.length === 0 ? null : (
    <Form action={PROVIDER_PATH} token={token} carry={carry}>
      <div class="buttons">
        {providers.map(({ id, name }) => (
          <button type="submit" name="provider" value={id}>
            Continue with <bdi>{name}</bdi>
          </button>
        ))}
      </div>
    </Form>
  );

/**
 * `POST /sign-in/provider`: sends the browser to the provider with a page that refreshes. A redirect would need the
 * provider in the policy of the page with the form, because Chrome applies `form-action` to every redirect after a
 * form.
 */
export function signInWithProvider(deps: WebDeps) {
  return async (c: PageContext) => {
    const form = c.get("form");
    const provider = providersOf(deps.config).find(({ id }) => id === form.get("provider"));
    if (!provider) return errorPage(c, "invalid_request");
    const query = await readOAuthQuery(form.get("oauth_query") ?? "", deps.config.BETTER_AUTH_SECRETS, Date.now());
    if (query === "forged") return errorPage(c, "invalid_signature");
    const answer = await requestAuth(c, deps, "/sign-in/social", {
      provider: provider.id,
      callbackURL: query ? restartPath(query, ["create", "login"]) : (nextPage(form.get("next")) ?? "/"),
      errorCallbackURL: "/error",
      disableRedirect: true,
    });
    if (answer.status === 429) {
      c.header("retry-after", String(answer.retryAfter));
      return htmlPage(
        c,
        { title: "Too many attempts", status: 429 },
        <p>Wait {inWords(answer.retryAfter)}, then try again.</p>,
      );
    }
    const url = URL.parse(textOf(answer.body, "url") ?? "");
    if (url === null || !/^https?:$/.test(url.protocol)) {
      deps.log("error", "web.provider_unavailable", { requestId: c.get("requestId"), provider: provider.id });
      return errorPage(c, "temporarily_unavailable");
    }
    c.header("refresh", `0; url=${url.href}`);
    return htmlPage(
      c,
      { title: "One moment" },
      <p>
        Sign in at{" "}
        <a href={url.href} rel="noreferrer">
          {url.host}
        </a>{" "}
        to continue. You will come back here.
      </p>,
    );
  };
}
