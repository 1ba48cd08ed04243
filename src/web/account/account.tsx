import type { Child, FC } from "hono/jsx";
import { dashboardPage } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { Field, Form } from "../frame/fields.tsx";
import { Notice } from "../frame/layout.tsx";
import { NewPasswordField } from "../frame/new-password.tsx";
import { formToken } from "../frame/protected-form.tsx";
import type { SignedIn } from "../frame/session.ts";

const PATH = "/dashboard/account";
const MAX_NAME = 100;
const MAX_EMAIL = 254;
const MAX_PASSWORD = 128;

/** The forms of the account page. Each posts to a path of its own below the page. */
export const ACCOUNT_FORMS = ["name", "password", "email", "delete"] as const;

type FieldName =
  | "name"
  | "current_password"
  | "new_password"
  | "new_email"
  | "email_password"
  | "delete_email"
  | "delete_password";

/** What the page shows besides its forms. */
export interface AccountState {
  /** The change that was just made. */
  done?: Child;
  problems?: Partial<Record<FieldName, string>>;
  /** What was entered, to be shown again; never passwords. */
  entered?: Partial<Record<FieldName, string>>;
  status?: 200 | 400 | 429;
}

const DONE: Readonly<Record<string, string>> = {
  name: "Your name was changed.",
  password: "Your password was changed. All other browsers were signed out.",
  address: "Your email address was changed. All other browsers were signed out.",
};

/** `GET /dashboard/account`. */
export const showAccount = (deps: WebDeps) => (c: PageContext, person: SignedIn) => {
  const done = c.req.query("done") ?? "";
  const text = Object.hasOwn(DONE, done) ? DONE[done] : undefined;
  return accountPage(c, deps, person, text === undefined ? {} : { done: text });
};

/** The account page: name, password, email address, and deletion. */
export async function accountPage(
  c: PageContext,
  deps: WebDeps,
  person: SignedIn,
  { done, problems = {}, entered = {}, status = 200 }: AccountState,
): Promise<Response> {
  const [name, password, email, end] = await Promise.all(
    ACCOUNT_FORMS.map((form) => formToken(c, deps, `account-${form}`)),
  );
  const [wrong] = Object.keys(problems);
  return dashboardPage(
    c,
    deps,
    { title: "Account", current: PATH, person, status },
    <>
      {done && <Notice tone="success">{done}</Notice>}
      {wrong !== undefined && (
        <Notice tone="danger">
          Nothing was changed. <a href={`#${wrong}`}>Fix the marked fields.</a>
        </Notice>
      )}
      <Section id="name-section" title="Name">
        <Form action={`${PATH}/name`} token={name ?? ""}>
          <Field
            name="name"
            label="Name"
            type="text"
            autocomplete="name"
            value={entered.name ?? person.name}
            problem={problems.name}
            maxlength={MAX_NAME}
          />
          <Submit>Change name</Submit>
        </Form>
      </Section>
      <Section id="password-section" title="Password">
        <Form action={`${PATH}/password`} token={password ?? ""}>
          <PasswordField name="current_password" problem={problems.current_password} />
          <NewPasswordField name="new_password" problem={problems.new_password} />
          <p class="muted small">
            All other browsers will be signed out. Connected apps and API keys keep working. Forgot it, or never set
            one? <a href="/forgot-password">Get a link by email</a>
          </p>
          <Submit>Change password</Submit>
        </Form>
      </Section>
      <Section id="email-section" title="Email address">
        <Form action={`${PATH}/email`} token={email ?? ""}>
          <Field
            name="new_email"
            label="New address"
            type="email"
            autocomplete="email"
            hint="We'll send a confirmation link to this address. Your address changes when you open the link and confirm."
            value={entered.new_email}
            problem={problems.new_email}
            maxlength={MAX_EMAIL}
          />
          <PasswordField name="email_password" problem={problems.email_password} />
          <Submit>Change address</Submit>
        </Form>
      </Section>
      <Section id="delete-section" title="Delete account">
        <p>
          This ends your sessions, your API keys and the access of all connected apps, and deletes your personal servers
          and settings. This can't be undone.
        </p>
        <Form action={`${PATH}/delete`} token={end ?? ""}>
          <Field
            name="delete_email"
            label="Email address of this account"
            type="email"
            autocomplete="off"
            hint="Enter it to confirm that you want to delete this account."
            value={entered.delete_email}
            problem={problems.delete_email}
            maxlength={MAX_EMAIL}
          />
          <PasswordField name="delete_password" problem={problems.delete_password} />
          <Submit>Delete account</Submit>
        </Form>
      </Section>
    </>,
  );
}

const Section: FC<{ id: string; title: string; children?: Child }> = ({ id, title, children }) => (
  <section class="card stack" aria-labelledby={id}>
    <h2 id={id}>{title}</h2>
    {children}
  </section>
);

const PasswordField: FC<{ name: FieldName; problem: string | undefined }> = ({ name, problem }) => (
  <Field
    name={name}
    label="Current password"
    type="password"
    autocomplete="current-password"
    problem={problem}
    maxlength={MAX_PASSWORD}
  />
);

const Submit: FC<{ children?: Child }> = ({ children }) => (
  <div>
    <button type="submit">{children}</button>
  </div>
);
