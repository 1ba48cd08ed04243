import { createOrganization, organizationNameProblem } from "../../organizations/organizations.ts";
import { membershipsOf } from "../../identity/tenants.ts";
import { personalTenantId } from "../../identity/standing.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { dashboardPage, forPerson } from "../frame/dashboard.tsx";
import { Field, Form } from "../frame/fields.tsx";
import { formToken } from "../frame/protected-form.tsx";
import { changedBy, type SignedIn } from "../frame/session.ts";
import { untrustedText } from "../frame/untrusted.ts";

export const ORGANIZATIONS_PATH = "/dashboard/organizations";

/** `GET /dashboard/organizations`: the organizations of this person, and a form to create one. */
export function showOrganizations(deps: WebDeps) {
  return forPerson(deps, ORGANIZATIONS_PATH, (c, person) => organizationsPage(c, deps, person, {}));
}

/** `POST /dashboard/organizations`: creates an organization with this person as its owner. */
export function postOrganization(deps: WebDeps) {
  return forPerson(deps, ORGANIZATIONS_PATH, async (c, person) => {
    const name = (c.get("form").get("name") ?? "").trim();
    const problem = organizationNameProblem(name);
    if (problem !== undefined) return organizationsPage(c, deps, person, { name, problem });
    const id = await createOrganization(deps.grants.db, { name, ...changedBy(c, person) });
    if (id === undefined)
      return organizationsPage(c, deps, person, {
        name,
        problem: "You own 20 organizations, which is the maximum. Transfer one to another owner or leave it first.",
      });
    return c.redirect(`${ORGANIZATIONS_PATH}/${id}`, 303);
  });
}

async function organizationsPage(
  c: PageContext,
  deps: WebDeps,
  person: SignedIn,
  { name, problem }: { name?: string; problem?: string },
) {
  const organizations = (await membershipsOf(deps.db, person.userId)).filter(
    ({ tenantId }) => tenantId !== personalTenantId(person.userId),
  );
  const token = await formToken(c, deps, "organization-create");
  return dashboardPage(
    c,
    deps,
    { title: "Organizations", current: ORGANIZATIONS_PATH, person, status: problem === undefined ? 200 : 400 },
    <>
      {organizations.length === 0 ? (
        <p>
          You are not a member of any organization. Members of an organization share MCP servers. When you connect an
          app, you choose the organization it can use.
        </p>
      ) : (
        <ul class="list">
          {organizations.map((organization) => (
            <li>
              <a href={`${ORGANIZATIONS_PATH}/${organization.tenantId}`}>
                <bdi>{untrustedText(organization.name) || "Unnamed organization"}</bdi>
              </a>
            </li>
          ))}
        </ul>
      )}
      <section class="card stack" aria-labelledby="new-organization">
        <h2 id="new-organization">New organization</h2>
        <Form action={ORGANIZATIONS_PATH} token={token}>
          <Field
            name="name"
            label="Name"
            type="text"
            autocomplete="organization"
            value={name}
            problem={problem}
            maxlength={100}
          />
          <div>
            <button type="submit" class="primary">
              Create organization
            </button>
          </div>
        </Form>
      </section>
    </>,
  );
}
