import type { FC } from "hono/jsx";
import { parseJson } from "../../platform/json.ts";
import { checkDefinition, CURRENT_SCHEMA, type DefinitionCheck } from "../../registry/definition/definition.ts";
import { listNamespaces } from "../../registry/namespaces/namespaces.ts";
import type { DefinitionProblem } from "../../registry/definition/problem.ts";
import { publish, type Published } from "../../registry/publishing/publish.ts";
import { dashboardPage, forPerson } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { Form } from "../frame/fields.tsx";
import { Notice } from "../frame/layout.tsx";
import { notFoundPage } from "../frame/not-found.tsx";
import { formToken } from "../frame/protected-form.tsx";
import { PUBLISH_PATH, REGISTRY_PATH, registryPaths, tenancyOf, type Tenancy } from "./tenant.ts";
import { sessionActor, type SignedIn } from "../frame/session.ts";
import { untrustedText } from "../frame/untrusted.ts";

const NO_MEMBER = "There is no such organization, or you are not in it.";
const MAX_SHOWN_NAMESPACES = 20;

/** `GET /dashboard/registry/publish`. */
export function showPublish(deps: WebDeps) {
  return forPerson(deps, REGISTRY_PATH, async (c, person) => {
    const tenancy = await tenancyOf(deps, person, c.req.query("tenant"));
    return tenancy ? publishPage(c, deps, { person, tenancy }) : notFoundPage(c, NO_MEMBER);
  });
}

/** `POST /dashboard/registry/publish`: lists all problems of the file, or publishes it. The entered text is kept. */
export function postPublish(deps: WebDeps) {
  return forPerson(deps, REGISTRY_PATH, async (c, person) => {
    const form = c.get("form");
    const tenancy = await tenancyOf(deps, person, form.get("tenant"));
    if (!tenancy) return notFoundPage(c, NO_MEMBER);
    const text = form.get("definition") ?? "";
    const checked = check(text, deps.config.OUTBOUND_ALLOW ?? []);
    const seen = { person, tenancy };
    if ("problems" in checked) return publishPage(c, deps, seen, { text, checked, status: 400 });
    if (form.get("do") !== "publish") return publishPage(c, deps, seen, { text, checked });
    const { tenantId } = tenancy.tenant;
    const publisher = { ...sessionActor(c, person), tenantId, namespaces: "owned" } as const;
    const published = await publish(deps.db, publisher, checked.definition, Date.now());
    if (published.state === "published") {
      const { name, version } = published.entry;
      return c.redirect(
        registryPaths({ kind: "tenant", ...tenancy }).server(name, { version, done: "published" }),
        303,
      );
    }
    const [status, refusal] = REFUSALS[published.state];
    return publishPage(c, deps, seen, { text, checked, refusal, status });
  });
}

function check(text: string, allow: readonly string[]): DefinitionCheck {
  const input = parseJson(text);
  if (input === undefined) {
    const problem =
      text.trim() === ""
        ? "Paste your server.json here."
        : "This is not valid JSON. Check for a missing quote, comma or brace.";
    return { problems: [{ pointer: "", code: "not_json", problem }] };
  }
  return checkDefinition(input, { allow });
}

const REFUSALS: Readonly<Record<Exclude<Published["state"], "published">, readonly [status: 403 | 409, text: string]>> =
  {
    namespace: [
      403,
      "Your organization does not own the namespace of this name. Prove ownership first (POST /api/v1/registry/namespaces), or use a namespace that it owns.",
    ],
    version_exists: [
      409,
      "This version is already published, and a published version can't be changed. Publish a new version.",
    ],
    look_alike: [409, "Another server has a name that looks the same. Choose a more distinct name."],
    mirrored: [409, "This server is mirrored from another registry. Deny it in the rules of the source first."],
    full: [409, "This server has reached the maximum number of versions."],
  };

interface PublishState {
  text?: string;
  checked?: DefinitionCheck;
  /** Why a valid file was not published. */
  refusal?: string;
  status?: 200 | 400 | 403 | 409;
}

async function publishPage(
  c: PageContext,
  deps: WebDeps,
  { person, tenancy }: { person: SignedIn; tenancy: Tenancy },
  { text, checked, refusal, status = 200 }: PublishState = {},
): Promise<Response> {
  const token = await formToken(c, deps, "registry-publish");
  const owned = await listNamespaces(deps.db, tenancy.tenant.tenantId);
  const namespaces = owned.map(({ namespace }) => untrustedText(namespace, 200));
  const problems = checked && "problems" in checked ? checked.problems : [];
  return dashboardPage(
    c,
    deps,
    { title: "Publish a server", current: REGISTRY_PATH, person, status },
    <>
      {refusal !== undefined && <Notice tone="danger">{refusal}</Notice>}
      {checked && <Verdict checked={checked} />}
      <Namespaces names={namespaces} />
      <Form action={PUBLISH_PATH} token={token}>
        <div class="field">
          <label for="tenant">Organization</label>
          <select id="tenant" name="tenant">
            {tenancy.memberships.map((one) => (
              <option value={one.tenantId} selected={one.tenantId === tenancy.tenant.tenantId}>
                <TenantText of={one} />
              </option>
            ))}
          </select>
        </div>
        <div class="field">
          <label for="definition">server.json</label>
          <textarea
            id="definition"
            name="definition"
            rows={20}
            spellcheck={false}
            autocomplete="off"
            required
            aria-invalid={problems.length > 0 ? "true" : undefined}
            aria-describedby={problems.length > 0 ? "verdict" : undefined}
          >
            {text ?? example(namespaces[0])}
          </textarea>
        </div>
        <div class="buttons">
          <button type="submit" name="do" value="check">
            Check
          </button>
          <button type="submit" name="do" value="publish" class="primary">
            Publish
          </button>
        </div>
      </Form>
    </>,
  );
}

/** The name of an organization as plain text: an `option` may not contain other elements. */
const TenantText: FC<{ of: Tenancy["tenant"] }> = ({ of }) =>
  of.personal ? <>Personal</> : <>{untrustedText(of.name) || "Unnamed organization"}</>;

const Verdict: FC<{ checked: DefinitionCheck }> = ({ checked }) => {
  if ("problems" in checked)
    return (
      <Notice tone="danger" id="verdict">
        <p>
          {checked.problems.length === 1 ? "1 problem" : `${checked.problems.length} problems`} to fix. Nothing was
          published.
        </p>
        <Findings of={checked.problems} />
      </Notice>
    );
  return (
    <>
      <Notice tone="success" id="verdict">
        server.json is valid: {untrustedText(checked.definition.name, 200)}{" "}
        {untrustedText(checked.definition.version, 255)}.
      </Notice>
      {checked.dropped.length > 0 && (
        <Notice tone="warning">
          <p>This registry does not know these fields and will not keep them:</p>
          <ul class="list">
            {checked.dropped.map((pointer) => (
              <li>
                <code>{untrustedText(pointer, 300)}</code>
              </li>
            ))}
          </ul>
        </Notice>
      )}
      {checked.remarks.length > 0 && (
        <Notice tone="warning">
          <Findings of={checked.remarks} />
        </Notice>
      )}
    </>
  );
};

const Findings: FC<{ of: readonly DefinitionProblem[] }> = ({ of }) => (
  <ul class="list">
    {of.map(({ pointer, problem }) => (
      <li>
        <code>{pointer === "" ? "The whole file" : untrustedText(pointer, 300)}</code>: {untrustedText(problem, 500)}
      </li>
    ))}
  </ul>
);

const Namespaces: FC<{ names: readonly string[] }> = ({ names }) =>
  names.length === 0 ? (
    <p>
      A server is published in a namespace that your organization has proved to own, such as <code>com.example</code>{" "}
      for the domain example.com. Your organization owns none yet. To prove one, use{" "}
      <code>POST /api/v1/registry/namespaces</code>.
    </p>
  ) : (
    <p>
      Your organization can publish in{" "}
      {names.slice(0, MAX_SHOWN_NAMESPACES).map((name, index) => (
        <>
          {index === 0 ? "" : ", "}
          <code>{name}</code>
        </>
      ))}
      {names.length > MAX_SHOWN_NAMESPACES ? " and others" : ""}.
    </p>
  );

const example = (namespace = "com.example"): string =>
  JSON.stringify(
    {
      $schema: CURRENT_SCHEMA,
      name: `${namespace}/my-server`,
      title: "My server",
      description: "What the server does, in one sentence",
      version: "1.0.0",
      remotes: [{ type: "streamable-http", url: "https://mcp.example.com/mcp" }],
    },
    null,
    2,
  );
