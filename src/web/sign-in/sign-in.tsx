import type { FC } from "hono/jsx";
import { providersOf } from "../../auth/providers/names.ts";
import { requestAuth, type AuthAnswer } from "../frame/auth-request.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { errorPage } from "../frame/error.tsx";
import { Field, Form } from "../frame/fields.tsx";
import { htmlPage, Notice } from "../frame/layout.tsx";
import { nextPage } from "../frame/redirect.ts";
import { readOAuthQuery, restartPath, type OAuthQuery } from "../frame/oauth-query.ts";
import { formToken } from "../frame/protected-form.tsx";
import { continueTo } from "../frame/continue.ts";
import { ProviderButtons } from "./providers.tsx";
import { formActionSource, redirectReceiver } from "../frame/redirect.ts";
import { untrustedText } from "../frame/untrusted.ts";
import { inWords } from "../frame/time.tsx";

const WRONG = "This email address and password do not match an account.";

/**
 * `GET {LOGIN_PAGE}`. With a signed query, the sign-in of an authorization; an expired authorization is restarted
 * first.
 */
export function showSignIn(deps: WebDeps) {
  return async (c: PageContext) => {
    const query = await readOAuthQuery(new URL(c.req.url).search.slice(1), deps.config.BETTER_AUTH_SECRETS, Date.now());
    if (query === "forged") return errorPage(c, "invalid_signature");
    if (query?.expired) return c.redirect(restartPath(query, ["create"]), 303);
    return signInPage(c, deps, { query, next: nextPage(c.req.query("next")) });
  };
}

/** `POST {LOGIN_PAGE}`: signs in and continues the authorization, if the form carries one. */
export function signIn(deps: WebDeps) {
  return async (c: PageContext) => {
    const form = c.get("form");
    const email = (form.get("email") ?? "").trim();
    const query = await readOAuthQuery(form.get("oauth_query") ?? "", deps.config.BETTER_AUTH_SECRETS, Date.now());
    if (query === "forged") return errorPage(c, "invalid_signature");
    const next = nextPage(form.get("next"));
    // Better Auth would refuse an expired request, and send one with the prompt `create` back to sign-up. Both are
    // restarted after the sign-in.
    const restart = query && (query.expired || query.prompts.includes("create"));
    const answer = await requestAuth(c, deps, "/sign-in/email", {
      email,
      password: form.get("password") ?? "",
      ...(query && { callbackURL: `/sign-in?${query.raw}` }),
      ...(query && !restart && { oauth_query: query.raw }),
    });
    if (answer.status !== 200) return refusedSignIn(c, deps, answer, email, { query, next });
    if (!query) return c.redirect(next ?? "/", 303);
    if (restart) return c.redirect(restartPath(query, ["create", "login"]), 303);
    return continueTo(c, deps, answer, query);
  };
}

function refusedSignIn(
  c: PageContext,
  deps: WebDeps,
  answer: AuthAnswer,
  email: string,
  { query, next }: Pick<SignInState, "query" | "next">,
): Response | Promise<Response> {
  const { status, code, retryAfter } = answer;
  if (status === 429) {
    c.header("retry-after", String(retryAfter));
    const problem = `Too many attempts. Wait ${inWords(retryAfter)}, then try again.`;
    return signInPage(c, deps, { query, next, email, problem, status });
  }
  if (code === "EMAIL_NOT_VERIFIED") return unverifiedPage(c, email);
  if (code === "BANNED_USER") return errorPage(c, "suspended");
  if (code === "invalid_signature" && query) return c.redirect(restartPath(query, ["create"]), 303);
  if (status !== 400 && status !== 401)
    deps.log("warn", "web.sign_in_refused", { requestId: c.get("requestId"), status, code });
  return signInPage(c, deps, { query, next, email, problem: WRONG, status: 401 });
}

interface SignInState {
  query: OAuthQuery | undefined;
  /** The page of ours to return to. An authorization takes precedence. */
  next: string | undefined;
  email?: string;
  problem?: string;
  status?: 200 | 401 | 429;
}

async function signInPage(c: PageContext, deps: WebDeps, { query, next, email, problem, status = 200 }: SignInState) {
  if (query) c.set("formTarget", formActionSource(query.redirectUri));
  const describedBy = problem && "problem";
  return htmlPage(
    c,
    { title: "Sign in", status },
    <>
      {query && <Continuation redirectUri={query.redirectUri} />}
      {problem && (
        <Notice tone="danger" id="problem">
          {problem}
        </Notice>
      )}
      <div class="card">
        <Form
          action={deps.config.LOGIN_PAGE}
          token={await formToken(c, deps, "sign-in")}
          carry={{ oauth_query: query?.raw, next }}
        >
          <Field
            name="email"
            label="Email"
            type="email"
            autocomplete="username"
            value={email}
            describedBy={describedBy}
            maxlength={254}
          />
          <Field
            name="password"
            label="Password"
            type="password"
            autocomplete="current-password"
            describedBy={describedBy}
            maxlength={128}
          />
          <button type="submit" class="primary">
            Sign in
          </button>
        </Form>
      </div>
      <ProviderButtons
        providers={providersOf(deps.config)}
        token={await formToken(c, deps, "provider")}
        carry={{ oauth_query: query?.raw, next }}
      />
      <p>
        <a href={query ? `/forgot-password?${query.raw}` : "/forgot-password"}>Forgot your password?</a>
      </p>
      <p>
        No account yet? <a href={query ? `/sign-up?${query.raw}` : "/sign-up"}>Create account</a>
      </p>
    </>,
  );
}

/** On the sign-in page of an authorization: says which app is waiting, before the person enters anything. */
const Continuation: FC<{ redirectUri: string }> = ({ redirectUri }) => {
  const receiver = redirectReceiver(redirectUri);
  if (!receiver) return null;
  return (
    <p class="muted">
      {receiver.kind === "site" ? (
        <>
          An app at <strong>{receiver.host}</strong> wants to connect.
        </>
      ) : (
        "An app on this computer wants to connect."
      )}{" "}
      You decide after signing in.
    </p>
  );
};

function unverifiedPage(c: PageContext, email: string) {
  return htmlPage(
    c,
    { title: "Confirm your address first", status: 403 },
    <>
      <p>
        We sent a new link to <bdi>{untrustedText(email, 254)}</bdi>. Open the link to confirm your email address, then
        sign in.
      </p>
      <p class="muted">The link is valid for one hour. If no email arrives, look in your spam folder.</p>
    </>,
  );
}
