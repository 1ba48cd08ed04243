import { findOrganization } from "../../organizations/organizations.ts";
import { membershipsOf, type Membership } from "../../identity/tenants.ts";
import type { Scope } from "../../identity/scopes.ts";
import { takeDecision, giveBackDecision } from "../../grants/decision.ts";
import { isManagerRole, personalTenantId } from "../../identity/standing.ts";
import { createKey } from "../../keys/creation.ts";
import type { KeyActor, KeyMade, KeyRefusal, NewKey } from "../../keys/keys.ts";
import { randomToken } from "../../platform/crypto.ts";
import { errorFields } from "../../platform/log.ts";
import { TenantName } from "../frame/names.tsx";
import { dashboardPage, forPerson } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { Field, Form, Radios, Select } from "../frame/fields.tsx";
import { LimitFields, ScopeChoice } from "./fields.tsx";
import { keyShownPage } from "./shown.tsx";
import { keyActor, keyDeps } from "./actor.ts";
import {
  atInputs,
  EXPIRIES,
  expiryOf,
  inOrder,
  inputProblems,
  keyEntries,
  NOTHING_ENTERED,
  readTerms,
  type InputProblems,
  type KeyEntries,
} from "./form.ts";
import { KEYS_PATH, NEW_KEY_PATH } from "./keys.tsx";
import { Notice } from "../frame/layout.tsx";
import { formToken, refusedForm } from "../frame/protected-form.tsx";
import type { SignedIn } from "../frame/session.ts";

/** As long as the token of the form is valid. */
const FORM_SECONDS = 3600;
const LIMITS = ["servers", "tools", "addresses", "per_minute", "burst", "quota", "period"] as const;

/** `GET /dashboard/keys/new`. */
export function showNewKey(deps: WebDeps) {
  return forPerson(deps, KEYS_PATH, async (c, person) => {
    const [actor, memberships] = await Promise.all([keyActor(c, deps, person), membershipsOf(deps.db, person.userId)]);
    const active = memberships.some(({ tenantId }) => tenantId === person.tenantId);
    const tenant = active ? person.tenantId : personalTenantId(person.userId);
    const asked = { person, memberships, offered: inOrder(actor.scopes) };
    return newKeyPage(c, deps, asked, { entries: { ...NOTHING_ENTERED, tenant } });
  });
}

/**
 * `POST /dashboard/keys/new`: creates the key and responds with the page that shows it. A form creates one key, even if
 * posted again.
 */
export function postKey(deps: WebDeps) {
  return forPerson(deps, KEYS_PATH, async (c, person) => {
    const once = c.get("form").get("once") ?? "";
    if (once === "") return refusedForm(c, deps.config.BASE_URL, "expired");
    const [actor, memberships] = await Promise.all([keyActor(c, deps, person), membershipsOf(deps.db, person.userId)]);
    const asked = { person, memberships, offered: inOrder(actor.scopes) };
    const entries = keyEntries(c.get("form"));
    const read = await readNewKey(deps, asked, entries);
    if ("problems" in read) return newKeyPage(c, deps, asked, { entries, problems: read.problems, status: 400 });
    const made = await onlyOnce(deps, `${person.userId} ${once}`, () => make(deps, actor, read.input));
    switch (made?.state) {
      case "done":
        return keyShownPage(c, deps, person, made);
      case undefined:
        return createdAlreadyPage(c, deps, person);
      case "unknown":
        return newKeyPage(c, deps, asked, { entries, problems: { tenant: NO_MEMBER }, status: 400 });
      case "refused":
        return newKeyPage(c, deps, asked, { entries, problems: atInputs(made.problems), status: 400 });
      case "forbidden":
        return newKeyPage(c, deps, asked, { entries, refusal: made.problem, status: 403 });
      case "conflict":
        return newKeyPage(c, deps, asked, { entries, refusal: made.problem, status: 409 });
      default:
        return made satisfies never;
    }
  });
}

const NO_MEMBER = "You are not a member of this organization. Choose another one.";
const NO_CHOICE = "Choose one of these.";

const make = (deps: WebDeps, actor: KeyActor, input: NewKey) => createKey(keyDeps(deps), actor, input, Date.now());

interface Asked {
  person: SignedIn;
  memberships: readonly Membership[];
  /** The scopes that the person can give a key. */
  offered: readonly Scope[];
}

async function readNewKey(
  deps: WebDeps,
  { person, memberships }: Asked,
  entries: KeyEntries,
): Promise<{ input: NewKey } | { problems: InputProblems }> {
  const now = Date.now();
  const expiresAt = expiryOf(entries.expiry, now);
  const fields = { ...readTerms(entries), name: entries.name, expiresAt: expiresAt ?? null };
  const tenant = memberships.some(({ tenantId }) => tenantId === entries.tenant) ? undefined : NO_MEMBER;
  const owner = await ownerProblem(deps, person, entries);
  const problems: InputProblems = {
    ...inputProblems(fields, now),
    ...(tenant !== undefined && { tenant }),
    ...(owner !== undefined && { owner }),
    ...(expiresAt === undefined && { expiry: NO_CHOICE }),
  };
  if (Object.keys(problems).length > 0) return { problems };
  const ownedBy = entries.owner === "organization" ? "organization" : "user";
  return { input: { ...fields, tenantId: entries.tenant, owner: ownedBy } };
}

async function ownerProblem(
  deps: WebDeps,
  person: SignedIn,
  { owner, tenant }: KeyEntries,
): Promise<string | undefined> {
  if (owner === "user") return undefined;
  if (owner !== "organization") return NO_CHOICE;
  if (tenant === personalTenantId(person.userId))
    return "Keys of your personal organization belong to you. Choose You, or another organization above.";
  const organization = await findOrganization(deps.db, person.userId, tenant);
  const manages = organization !== null && isManagerRole(organization.role);
  return manages
    ? undefined
    : "Only owners and admins can create keys that belong to the organization. Choose You, or ask one of them.";
}

/** Lets a form create one key. Returns undefined when it has created one already. A failed attempt does not count. */
async function onlyOnce(
  { grants: { redis }, log }: Pick<WebDeps, "grants" | "log">,
  form: string,
  act: () => Promise<KeyMade | KeyRefusal>,
): Promise<KeyMade | KeyRefusal | undefined> {
  const signature = `key ${form}`;
  const now = Date.now();
  if (!(await takeDecision(redis, { signature, expiry: now / 1000 + FORM_SECONDS }, now))) return undefined;
  let made: KeyMade | KeyRefusal | undefined;
  try {
    made = await act();
    return made;
  } finally {
    if (made?.state !== "done")
      await giveBackDecision(redis, signature).catch((error: unknown) =>
        log("warn", "web.decision_not_released", errorFields(error)),
      );
  }
}

interface NewKeyState {
  entries: KeyEntries;
  problems?: InputProblems;
  /** Why the key was not created, if no single field is the cause. */
  refusal?: string;
  status?: 200 | 400 | 403 | 409;
}

async function newKeyPage(
  c: PageContext,
  deps: WebDeps,
  { person, memberships, offered }: Asked,
  { entries, problems = {}, refusal, status = 200 }: NewKeyState,
): Promise<Response> {
  const token = await formToken(c, deps, "key-new");
  const [wrong] = Object.keys(problems);
  return dashboardPage(
    c,
    deps,
    { title: "New API key", current: KEYS_PATH, person, status },
    <>
      {refusal !== undefined && <Notice tone="danger">{refusal}</Notice>}
      {wrong !== undefined && (
        <Notice tone="danger">
          The key was not created. <a href={`#${wrong}`}>Fix the marked fields.</a>
        </Notice>
      )}
      <Form action={NEW_KEY_PATH} token={token} carry={{ once: randomToken(16) }}>
        <Field
          name="name"
          label="Name"
          type="text"
          autocomplete="off"
          hint="What the key is for. The name is shown in the list and in the audit log."
          value={entries.name}
          problem={problems.name}
          maxlength={100}
        />
        <Radios
          name="tenant"
          legend="Organization"
          value={entries.tenant}
          options={memberships.map((one) => [one.tenantId, <TenantName of={one} />] as const)}
          problem={problems.tenant}
        />
        {memberships.length === 1 ? (
          <input type="hidden" name="owner" value="user" />
        ) : (
          <Radios
            name="owner"
            legend="Owner"
            value={entries.owner}
            options={[
              ["user", "You"],
              ["organization", "The organization. Its owners and admins can manage the key even after you leave."],
            ]}
            problem={problems.owner}
          />
        )}
        <ScopeChoice offered={offered} chosen={entries.scopes} problem={problems.scope} />
        <Select
          name="expiry"
          label="Expires"
          value={entries.expiry}
          options={EXPIRIES.map(({ value, label }) => [value, label] as const)}
          problem={problems.expiry}
        />
        <details open={LIMITS.some((name) => entries[name] !== NOTHING_ENTERED[name])}>
          <summary>Limits</summary>
          <div class="stack">
            <LimitFields entries={entries} problems={problems} />
          </div>
        </details>
        <div>
          <button type="submit" class="primary">
            Create API key
          </button>
        </div>
      </Form>
    </>,
  );
}

const createdAlreadyPage = (c: PageContext, deps: WebDeps, person: SignedIn) =>
  dashboardPage(
    c,
    deps,
    { title: "This key was already created", current: KEYS_PATH, person, status: 409 },
    <>
      <p>A key is shown once, right after it is created. Nothing was changed now.</p>
      <p>
        If you have not copied it, revoke it in the <a href={KEYS_PATH}>list of keys</a> and{" "}
        <a href={NEW_KEY_PATH}>create another one</a>.
      </p>
    </>,
  );
