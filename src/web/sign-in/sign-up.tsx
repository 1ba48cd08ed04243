import { providersOf } from "../../auth/providers/names.ts";
import { mayHold } from "../../accounts/sign-up.ts";
import { requestAuth, type AuthAnswer } from "../frame/auth-request.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { errorPage } from "../frame/error.tsx";
import { Field, Form } from "../frame/fields.tsx";
import { htmlPage, Notice } from "../frame/layout.tsx";
import { nextPage } from "../frame/redirect.ts";
import { readOAuthQuery, type OAuthQuery } from "../frame/oauth-query.ts";
import { formToken } from "../frame/protected-form.tsx";
import { ProviderButtons } from "./providers.tsx";
import { untrustedText } from "../frame/untrusted.ts";
import { inWords } from "../frame/time.tsx";

const MIN_PASSWORD = 10;
const MAX_PASSWORD = 128;
const MAX_NAME = 100;
const MAX_EMAIL = 254;
const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

interface Entered {
  name: string;
  email: string;
}

type Problems = Partial<Record<"name" | "email" | "password" | "form", string>>;

/** `GET /sign-up`. Keeps `next` and the signed query of an authorization, even an expired one, to continue there. */
export function showSignUp(deps: WebDeps) {
  return async (c: PageContext) => {
    const query = await readOAuthQuery(new URL(c.req.url).search.slice(1), deps.config.BETTER_AUTH_SECRETS, Date.now());
    return query === "forged"
      ? errorPage(c, "invalid_signature")
      : signUpPage(c, deps, { query, next: nextPage(c.req.query("next")) });
  };
}

/** `POST /sign-up`: creates an account. The answer is the same for an address that has one already. */
export function signUp(deps: WebDeps) {
  return async (c: PageContext) => {
    const form = c.get("form");
    const entered = { name: (form.get("name") ?? "").trim(), email: (form.get("email") ?? "").trim() };
    const password = form.get("password") ?? "";
    const query = await readOAuthQuery(form.get("oauth_query") ?? "", deps.config.BETTER_AUTH_SECRETS, Date.now());
    if (query === "forged") return errorPage(c, "invalid_signature");
    const back = { query, next: nextPage(form.get("next")) };
    const problems = problemsOf(entered, password);
    if (Object.keys(problems).length > 0) return signUpPage(c, deps, { ...back, entered, problems, status: 400 });
    const signInQuery = wayBack(back);
    const answer = await requestAuth(c, deps, "/sign-up/email", {
      ...entered,
      password,
      ...(signInQuery !== "" && { callbackURL: `/sign-in${signInQuery}` }),
    });
    if (answer.status !== 200) return refusedSignUp(c, deps, answer, entered, back);
    // The allowed domains are public. Which addresses outside them are allowed is not.
    return mayHold(deps.config, entered.email)
      ? checkMailPage(c, deps, entered.email)
      : closedPage(c, deps, entered.email);
  };
}

/** What is wrong with what was entered, by field. */
function problemsOf({ name, email }: Entered, password: string): Problems {
  return {
    ...((name === "" || name.length > MAX_NAME || /\p{Cc}/u.test(name)) && {
      name: `Enter a name of at most ${MAX_NAME} characters.`,
    }),
    ...((email.length > MAX_EMAIL || !EMAIL.test(email)) && {
      email: "Enter an email address such as name@example.com.",
    }),
    ...((password.length < MIN_PASSWORD || password.length > MAX_PASSWORD) && {
      password: `Choose a password of ${MIN_PASSWORD} to ${MAX_PASSWORD} characters.`,
    }),
  };
}

function refusedSignUp(
  c: PageContext,
  deps: WebDeps,
  answer: AuthAnswer,
  entered: Entered,
  back: WayBack,
): Response | Promise<Response> {
  const { status, code, retryAfter } = answer;
  if (code === "SIGN_UP_CLOSED") return closedPage(c, deps, entered.email);
  if (status === 429) {
    c.header("retry-after", String(retryAfter));
    const problems = { form: `Too many attempts. Wait ${inWords(retryAfter)}, then try again.` };
    return signUpPage(c, deps, { ...back, entered, problems, status });
  }
  if (code === "INVALID_EMAIL") {
    const problems = { email: "We can't send email to this address. Check it." };
    return signUpPage(c, deps, { ...back, entered, problems, status: 400 });
  }
  deps.log("warn", "web.sign_up_refused", { requestId: c.get("requestId"), status, code });
  const problems = { form: "The account could not be created. Check what you entered and try again." };
  return signUpPage(c, deps, { ...back, entered, problems, status: 400 });
}

/** What the sign-in continues with afterwards. An authorization takes precedence over a page. */
interface WayBack {
  query: OAuthQuery | undefined;
  /** A page of ours. */
  next: string | undefined;
}

/** The query of the sign-in page that continues there, with its question mark. */
const wayBack = ({ query, next }: WayBack) =>
  query ? `?${query.raw}` : next === undefined ? "" : `?${new URLSearchParams({ next }).toString()}`;

interface SignUpState extends WayBack {
  entered?: Entered;
  problems?: Problems;
  status?: 200 | 400 | 429;
}

async function signUpPage(
  c: PageContext,
  deps: WebDeps,
  { query, next, entered, problems = {}, status = 200 }: SignUpState,
) {
  const policy = policyText(deps.config.SIGN_UP);
  return htmlPage(
    c,
    { title: "Create account", status },
    <>
      {policy && <p class="muted">{policy}</p>}
      {problems.form && <Notice tone="danger">{problems.form}</Notice>}
      <div class="card">
        <Form action="/sign-up" token={await formToken(c, deps, "sign-up")} carry={{ oauth_query: query?.raw, next }}>
          <Field
            name="name"
            label="Name"
            type="text"
            autocomplete="name"
            value={entered?.name}
            problem={problems.name}
            maxlength={MAX_NAME}
          />
          <Field
            name="email"
            label="Email"
            type="email"
            autocomplete="email"
            value={entered?.email}
            problem={problems.email}
            maxlength={MAX_EMAIL}
          />
          <Field
            name="password"
            label="Password"
            type="password"
            autocomplete="new-password"
            hint={`At least ${MIN_PASSWORD} characters.`}
            problem={problems.password}
            minlength={MIN_PASSWORD}
            maxlength={MAX_PASSWORD}
          />
          <button type="submit" class="primary">
            Create account
          </button>
        </Form>
      </div>
      <ProviderButtons
        providers={providersOf(deps.config)}
        token={await formToken(c, deps, "provider")}
        carry={{ oauth_query: query?.raw, next }}
      />
      <p>
        Already have an account? <a href={`${deps.config.LOGIN_PAGE}${wayBack({ query, next })}`}>Sign in</a>
      </p>
    </>,
  );
}

/** Says who may create an account; undefined when everybody may. */
function policyText(policy: WebDeps["config"]["SIGN_UP"]): string | undefined {
  if (policy.kind === "domains") return `Only email addresses at ${policy.domains.join(", ")} can create an account.`;
  if (policy.kind === "open") return undefined;
  return "Sign-up is by invitation. You can create an account with an email address that the operator of this gateway has listed or an organization has invited.";
}

function checkMailPage(c: PageContext, deps: WebDeps, email: string) {
  const policy = policyText(deps.config.SIGN_UP);
  return htmlPage(
    c,
    { title: "Check your email" },
    <>
      <p>
        If <bdi>{untrustedText(email, MAX_EMAIL)}</bdi> can create an account here, we have sent a link to it. Open the
        link to confirm the address, then sign in.
      </p>
      <p class="muted">
        The link is valid for one hour. No email? Look in your spam folder. {policy} If the address already has an
        account, we sent no email: <a href={deps.config.LOGIN_PAGE}>sign in</a> instead.
      </p>
    </>,
  );
}

function closedPage(c: PageContext, deps: WebDeps, email: string) {
  return htmlPage(
    c,
    { title: "Sign-up is closed", status: 403 },
    <>
      <p>{policyText(deps.config.SIGN_UP) ?? "This gateway doesn't accept new accounts."}</p>
      <p>
        Ask the operator of this gateway for an account, or <a href={deps.config.LOGIN_PAGE}>sign in</a>. If{" "}
        <bdi>{untrustedText(email, MAX_EMAIL)}</bdi> is allowed to sign up after all, we have sent a link to it.
      </p>
    </>,
  );
}
