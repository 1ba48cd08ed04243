import type { FC } from "hono/jsx";
import { openSessions, sessionTokens, type OpenSession } from "../../accounts/sessions.ts";
import { AppError } from "../../platform/errors.ts";
import { requestAuth, type AuthAnswer } from "../frame/auth-request.ts";
import { dashboardPage, forPerson } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { deviceOf } from "./device-name.ts";
import { Form } from "../frame/fields.tsx";
import { Notice } from "../frame/layout.tsx";
import { formToken } from "../frame/protected-form.tsx";
import { tooManyRequests } from "../frame/session.ts";
import { Time } from "../frame/time.tsx";
import { untrustedText } from "../frame/untrusted.ts";

const PATH = "/dashboard/sessions";
export const REVOKE_PATH = `${PATH}/revoke`;
export const REVOKE_OTHERS_PATH = `${PATH}/revoke-others`;

/** The notice for each value of the query parameter `done`. */
const DONE: Readonly<Record<string, string>> = {
  revoked: "That session was signed out.",
  others: "All other sessions were signed out.",
};

/** `GET /dashboard/sessions`: where this person is signed in. */
export function showSessions(deps: WebDeps) {
  return forPerson(deps, PATH, async (c, person) => {
    const sessions = await openSessions(deps.db, person.userId);
    const done = c.req.query("done") ?? "";
    const token = await formToken(c, deps, "revoke-session");
    const othersToken = await formToken(c, deps, "revoke-others");
    return dashboardPage(
      c,
      deps,
      { title: "Sessions", current: PATH, person },
      <>
        {Object.hasOwn(DONE, done) && <Notice tone="success">{DONE[done]}</Notice>}
        <p>
          These are the browsers in which you are signed in. Signing one out takes effect immediately. Apps stay
          connected: see <a href="/dashboard/apps">connected apps</a>. The time of last activity is updated about once a
          day.
        </p>
        {sessions.length > 1 && (
          <Form action={REVOKE_OTHERS_PATH} token={othersToken}>
            <div>
              <button type="submit">Sign out all other sessions</button>
            </div>
          </Form>
        )}
        {sessions.map((session, index) => (
          <Session
            session={session}
            current={session.id === person.sessionId}
            token={token}
            heading={`session-${index}`}
          />
        ))}
      </>,
    );
  });
}

/**
 * `POST /dashboard/sessions/revoke`: ends one session, by its id. The answer is the same for an id that does not exist.
 */
export function revokeSession(deps: WebDeps) {
  return forPerson(deps, PATH, async (c, { userId }) => {
    await revoke(c, deps, await sessionTokens(deps.db, userId, { id: c.get("form").get("session") ?? "" }));
    return c.redirect(`${PATH}?done=revoked`, 303);
  });
}

/** `POST /dashboard/sessions/revoke-others`: ends every session but this one, including those that began meanwhile. */
export function revokeOtherSessions(deps: WebDeps) {
  return forPerson(deps, PATH, async (c, { userId, sessionId }) => {
    succeeded(await requestAuth(c, deps, "/revoke-other-sessions", {}));
    await revoke(c, deps, await sessionTokens(deps.db, userId, { except: sessionId }));
    return c.redirect(`${PATH}?done=others`, 303);
  });
}

async function revoke(c: PageContext, deps: WebDeps, tokens: readonly string[]): Promise<void> {
  for (const token of tokens) succeeded(await requestAuth(c, deps, "/revoke-session", { token }));
}

function succeeded({ status, retryAfter, code }: AuthAnswer): void {
  if (status === 429) throw tooManyRequests(retryAfter);
  if (status !== 200)
    throw new AppError("unavailable", "The sessions could not be signed out. Go back, reload the page and try again.", {
      internal: `revoking a session was answered ${status} ${code}`,
    });
}

const Session: FC<{ session: OpenSession; current: boolean; token: string; heading: string }> = (props) => {
  const { session, current, token, heading } = props;
  const device = deviceOf(session.userAgent);
  return (
    <article class="card stack" aria-labelledby={heading}>
      <h2 id={heading}>
        {device}
        {current && <span class="muted"> · this session</span>}
      </h2>
      <dl class="facts">
        <dt>IP address</dt>
        <dd>{session.address === null ? "unknown" : untrustedText(session.address)}</dd>
        <dt>Signed in</dt>
        <dd>
          <Time at={session.createdAt} />
        </dd>
        <dt>Last active</dt>
        <dd>{current ? "now" : <Time at={session.lastActive} />}</dd>
      </dl>
      {!current && (
        <Form action={REVOKE_PATH} token={token} carry={{ session: session.id }}>
          <div>
            <button type="submit" aria-label={`Sign out ${device}`}>
              Sign out
            </button>
          </div>
        </Form>
      )}
    </article>
  );
};
