import type { Child, FC } from "hono/jsx";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { PageContext, WebDeps } from "./deps.ts";
import { Form } from "./fields.tsx";
import { htmlPage } from "./layout.tsx";
import { formToken } from "./protected-form.tsx";
import { signedIn, type SignedIn } from "./session.ts";
import { untrustedText } from "./untrusted.ts";

/** The pages of the dashboard in the order of its menu. */
const MENU = {
  "/dashboard/apps": "Connected apps",
  "/dashboard/keys": "API keys",
  "/dashboard/registry": "Registry",
  "/dashboard/sessions": "Sessions",
  "/dashboard/organizations": "Organizations",
  "/dashboard/account": "Account",
} as const;

export type DashboardPath = keyof typeof MENU;

/** Shows a page only to people with a valid session. Others sign in first and come back to `path`. */
export function forPerson(
  deps: WebDeps,
  path: DashboardPath,
  answer: (c: PageContext, person: SignedIn) => Response | Promise<Response>,
) {
  return async (c: PageContext): Promise<Response> => {
    const person = await signedIn(c, deps, { fresh: true });
    if (person) return answer(c, person);
    return c.redirect(`${deps.config.LOGIN_PAGE}?${new URLSearchParams({ next: path }).toString()}`, 303);
  };
}

interface DashboardOptions {
  title: string;
  current: DashboardPath;
  person: SignedIn;
  status?: ContentfulStatusCode;
}

/** A page of the dashboard: the menu, `body`, then who is signed in. */
export async function dashboardPage(
  c: PageContext,
  deps: WebDeps,
  { title, current, person, status = 200 }: DashboardOptions,
  body: Child,
): Promise<Response> {
  const signOutToken = await formToken(c, deps, "sign-out");
  return htmlPage(
    c,
    { title, status, wide: true },
    <>
      <Menu current={current} />
      {body}
      <Form action="/sign-out" token={signOutToken}>
        <p class="muted small">
          Signed in as <bdi>{untrustedText(person.name)}</bdi> (<bdi>{untrustedText(person.email, 254)}</bdi>).{" "}
          <button type="submit" class="link">
            Sign out
          </button>
        </p>
      </Form>
    </>,
  );
}

const Menu: FC<{ current: DashboardPath }> = ({ current }) => (
  <nav class="menu" aria-label="Dashboard">
    {Object.entries(MENU).map(([path, label]) => (
      <a href={path} aria-current={path === current ? "page" : undefined}>
        {label}
      </a>
    ))}
  </nav>
);
