import type { FC } from "hono/jsx";
import { isScope, SCOPES } from "../../identity/scopes.ts";
import type { SignedIn } from "../frame/session.ts";
import { untrustedText } from "../frame/untrusted.ts";

/** The form field by which an administrator grants `admin`. Its value is "yes". */
const FIELD = "grant_admin";

/** Who decides, as far as it matters for scopes. */
type Decider = Pick<SignedIn, "isAdministrator">;

/**
 * The scopes that a person grants who allows a request: all that it asks for, and `admin` only when the person is an
 * administrator and ticked it. Many clients ask for every scope that there is, and must get in with the rest (RFC 6749
 * §3.3). Empty when nothing is left but to stay connected.
 */
export function grantedScopes(asked: readonly string[], person: Decider, form: URLSearchParams): string[] {
  const grantsAdmin = person.isAdministrator && form.get(FIELD) === "yes";
  const granted = asked.filter((scope) => scope !== "admin" || grantsAdmin);
  return granted.some((scope) => scope !== "offline_access") ? granted : [];
}

/** What a request asks for, without `admin`, which {@link AdminChoice} asks about. */
export const ScopeList: FC<{ scopes: readonly string[]; person: Decider }> = ({ scopes, person }) => (
  <>
    <ul class="list">
      {scopes
        .filter((scope) => scope !== "admin")
        .map((scope) => (
          <li>{isScope(scope) ? SCOPES[scope] : `Use the permission “${untrustedText(scope)}”`}</li>
        ))}
    </ul>
    {scopes.includes("admin") && !person.isAdministrator && (
      <p class="muted">
        It also asks to administer this gateway. Only an administrator can grant that, so it is left out.
      </p>
    )}
  </>
);

/** Asks an administrator whether the app may administer the gateway, when it asks to. Not ticked by default. */
export const AdminChoice: FC<{ scopes: readonly string[]; person: Decider }> = ({ scopes, person }) =>
  scopes.includes("admin") && person.isAdministrator ? (
    <fieldset class="choices">
      <legend>Optional</legend>
      <label>
        <input type="checkbox" name={FIELD} value="yes" />
        <span>{SCOPES.admin}. Tick this only if the app has to manage other people's accounts and settings.</span>
      </label>
    </fieldset>
  ) : null;
