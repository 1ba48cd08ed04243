import type { Child, FC } from "hono/jsx";
import { SCOPES, type Scope } from "../../identity/scopes.ts";
import { membershipsOf } from "../../identity/tenants.ts";
import type { KeyInfo } from "../../keys/keys.ts";
import { dashboardPage } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { Field, Form, Select } from "../frame/fields.tsx";
import { LimitFields, ScopeChoice } from "./fields.tsx";
import { entriesOf, inOrder, type InputProblems, type KeyEntries } from "./form.ts";
import { KeyFacts, keyName, KEYS_PATH } from "./keys.tsx";
import { Notice } from "../frame/layout.tsx";
import { formToken } from "../frame/protected-form.tsx";
import type { SignedIn } from "../frame/session.ts";
import { Time } from "../frame/time.tsx";

/** The choices for how long the old key keeps working after a rotation, in seconds. */
export const OVERLAPS: readonly { value: string; label: string; seconds: number }[] = [
  { value: "0", label: "Stop working immediately", seconds: 0 },
  { value: "3600", label: "Keep working for 1 hour", seconds: 3600 },
  { value: "86400", label: "Keep working for 24 hours", seconds: 86_400 },
  { value: "604800", label: "Keep working for 7 days", seconds: 604_800 },
];
const USUAL_OVERLAP = "86400";

export interface SeenKey {
  info: KeyInfo;
  person: SignedIn;
  /** The scopes that the person can give a key. */
  scopes: ReadonlySet<Scope>;
}

/** What the page of a key shows besides its forms. */
export interface KeyPageState {
  notice?: { tone: "success" | "warning" | "danger"; text: Child };
  problems?: InputProblems;
  /** What was entered in the form that has the problems. */
  entries?: KeyEntries;
  status?: 200 | 400 | 403 | 409 | 503;
}

/** The page of one key: its details, and the forms to change, rotate, disable or revoke it. */
export async function keyPage(
  c: PageContext,
  deps: WebDeps,
  { info, person, scopes }: SeenKey,
  { notice, problems = {}, entries = entriesOf(info), status = 200 }: KeyPageState = {},
): Promise<Response> {
  const base = `${KEYS_PATH}/${info.id}`;
  const memberships = await membershipsOf(deps.db, person.userId);
  const tokens = {
    name: await formToken(c, deps, "key-name"),
    limits: await formToken(c, deps, "key-limits"),
    enabled: await formToken(c, deps, "key-enabled"),
    rotate: await formToken(c, deps, "key-rotate"),
  };
  const [wrong] = Object.keys(problems);
  const works = info.status !== "revoked" && info.status !== "expired";
  return dashboardPage(
    c,
    deps,
    { title: "API key", current: KEYS_PATH, person, status },
    <>
      <p>
        <strong>
          <bdi>{keyName(info)}</bdi>
        </strong>
      </p>
      {notice && <Notice tone={notice.tone}>{notice.text}</Notice>}
      {wrong !== undefined && (
        <Notice tone="danger">
          Nothing was changed. <a href={`#${wrong}`}>Fix the marked fields.</a>
        </Notice>
      )}
      <section class="card stack" aria-labelledby="facts">
        <h2 id="facts">Details</h2>
        <dl class="facts">
          <KeyFacts info={info} memberships={memberships} />
          <dt>Created</dt>
          <dd>
            <Time at={info.createdAt} />
          </dd>
          {info.quota && (
            <>
              <dt>Calls used</dt>
              <dd>
                {info.quota.used} of {info.quota.max} {info.quota.period === "month" ? "this month" : "in total"}
              </dd>
            </>
          )}
          {info.rotatedTo !== null && (
            <>
              <dt>Replaced by</dt>
              <dd>
                <a href={`${KEYS_PATH}/${info.rotatedTo}`}>the new key</a>
              </dd>
            </>
          )}
        </dl>
      </section>
      {works ? (
        <>
          <Section id="name-section" title="Name">
            <Form action={`${base}/name`} token={tokens.name}>
              <Field
                name="name"
                label="Name"
                type="text"
                autocomplete="off"
                value={entries.name}
                problem={problems.name}
                maxlength={100}
              />
              <Submit>Change name</Submit>
            </Form>
          </Section>
          <Section id="limits-section" title="Permissions and limits">
            <Form action={`${base}/limits`} token={tokens.limits}>
              <ScopeChoice
                offered={inOrder(new Set([...scopes, ...info.scopes]))}
                chosen={entries.scopes}
                problem={problems.scope}
              />
              {[info.servers, info.tools, info.addresses].some((list) => list?.length === 0) && (
                <Notice tone="warning">
                  One of the lists below is empty and allows nothing. The key does not work until you enter something
                  there.
                </Notice>
              )}
              <LimitFields entries={entries} problems={problems} />
              <Submit>Save permissions and limits</Submit>
            </Form>
          </Section>
          {info.rotatedTo === null && (
            <Section id="rotate-section" title="Rotate">
              <p>
                Creates a new key with the same permissions and limits, and shows it once. The old key can keep working
                for a while, so that you have time to replace it where it is used.
              </p>
              <Form action={`${base}/rotate`} token={tokens.rotate}>
                <Select
                  name="overlap"
                  label="Old key"
                  value={USUAL_OVERLAP}
                  options={OVERLAPS.map(({ value, label }) => [value, label] as const)}
                />
                <Submit>Rotate</Submit>
              </Form>
            </Section>
          )}
          <Section id="end-section" title={info.status === "disabled" ? "Enable or revoke" : "Disable or revoke"}>
            <p>A key that is disabled can be enabled again. A key that is revoked never works again.</p>
            <Form
              action={`${base}/enabled`}
              token={tokens.enabled}
              carry={{ enabled: info.status === "disabled" ? "yes" : "no" }}
            >
              <Submit>{info.status === "disabled" ? "Enable" : "Disable"}</Submit>
            </Form>
            <RevokeLink base={base} />
          </Section>
        </>
      ) : (
        <Section id="may-section" title="Permissions">
          <ul class="list">
            {info.scopes.map((scope) => (
              <li>{SCOPES[scope]}</li>
            ))}
          </ul>
          {info.status === "expired" && <RevokeLink base={base} />}
        </Section>
      )}
      <p>
        <a href={KEYS_PATH}>All keys</a>
      </p>
    </>,
  );
}

/** Asks for confirmation before a key is revoked, which cannot be undone. */
export async function revokeKeyPage(c: PageContext, deps: WebDeps, { info, person }: SeenKey): Promise<Response> {
  const base = `${KEYS_PATH}/${info.id}`;
  const token = await formToken(c, deps, "key-revoke");
  return dashboardPage(
    c,
    deps,
    { title: "Revoke this key?", current: KEYS_PATH, person },
    <>
      <p>
        The key <bdi>{keyName(info)}</bdi> (<code>{info.start}…</code>) stops working immediately. This can't be undone.
      </p>
      <Form action={`${base}/revoke`} token={token}>
        <Submit>Revoke the key</Submit>
      </Form>
      <p>
        <a href={base}>Keep the key</a>
      </p>
    </>,
  );
}

const Section: FC<{ id: string; title: string; children?: Child }> = ({ id, title, children }) => (
  <section class="card stack" aria-labelledby={id}>
    <h2 id={id}>{title}</h2>
    {children}
  </section>
);

const Submit: FC<{ children?: Child }> = ({ children }) => (
  <div>
    <button type="submit">{children}</button>
  </div>
);

const RevokeLink: FC<{ base: string }> = ({ base }) => (
  <p>
    <a href={`${base}/revoke`}>Revoke this key</a>
  </p>
);
