import { createTeam, teamNameProblem } from "../../organizations/organizations.ts";
import { membershipsOf } from "../../identity/tenants.ts";
import { personalTenantId } from "../../identity/standing.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { dashboardPage, forPerson } from "../frame/dashboard.tsx";
import { Field, Form } from "../frame/fields.tsx";
import { formToken } from "../frame/protected-form.tsx";
import { changedBy, type SignedIn } from "../frame/session.ts";
import { untrustedText } from "../frame/untrusted.ts";

export const TEAMS_PATH = "/dashboard/team";

/** `GET /dashboard/team`: the teams of this person, and a form for another one. */
export function showTeams(deps: WebDeps) {
  return forPerson(deps, TEAMS_PATH, (c, person) => teamsPage(c, deps, person, {}));
}

/** `POST /dashboard/team`: makes a team, with this person as its owner. */
export function makeTeam(deps: WebDeps) {
  return forPerson(deps, TEAMS_PATH, async (c, person) => {
    const name = (c.get("form").get("name") ?? "").trim();
    const problem = teamNameProblem(name);
    if (problem !== undefined) return teamsPage(c, deps, person, { name, problem });
    const id = await createTeam(deps.grants.db, { name, ...changedBy(c, person) });
    if (id === undefined)
      return teamsPage(c, deps, person, { name, problem: "You own twenty teams. Hand one over or leave it first." });
    return c.redirect(`${TEAMS_PATH}/${id}`, 303);
  });
}

async function teamsPage(
  c: PageContext,
  deps: WebDeps,
  person: SignedIn,
  { name, problem }: { name?: string; problem?: string },
) {
  const teams = (await membershipsOf(deps.db, person.userId)).filter(
    ({ tenantId }) => tenantId !== personalTenantId(person.userId),
  );
  const token = await formToken(c, deps, "team-create");
  return dashboardPage(
    c,
    deps,
    { title: "Teams", current: TEAMS_PATH, person, status: problem === undefined ? 200 : 400 },
    <>
      {teams.length === 0 ? (
        <p>You are in no team. In a team people share MCP servers; when you connect an app you choose where it acts.</p>
      ) : (
        <ul class="list">
          {teams.map((team) => (
            <li>
              <a href={`${TEAMS_PATH}/${team.tenantId}`}>
                <bdi>{untrustedText(team.name) || "A team without a name"}</bdi>
              </a>
            </li>
          ))}
        </ul>
      )}
      <section class="card stack" aria-labelledby="new-team">
        <h2 id="new-team">New team</h2>
        <Form action={TEAMS_PATH} token={token}>
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
              Create team
            </button>
          </div>
        </Form>
      </section>
    </>,
  );
}
