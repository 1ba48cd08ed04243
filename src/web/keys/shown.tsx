import type { Child } from "hono/jsx";
import type { KeyInfo } from "../../keys/keys.ts";
import { dashboardPage } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { KeyExample, keyName, KEYS_PATH } from "./keys.tsx";
import { Notice } from "../frame/layout.tsx";
import type { SignedIn } from "../frame/session.ts";
import { Time } from "../frame/time.tsx";

interface Shown {
  key: string;
  info: KeyInfo;
  /** What else the page says. */
  also?: Child;
}

/**
 * The only page that shows a key: the response to the form that created it. Reloading the page posts that form again,
 * which creates and shows no key.
 */
export const keyShownPage = (
  c: PageContext,
  deps: WebDeps,
  person: SignedIn,
  { key, info, also }: Shown,
): Promise<Response> =>
  dashboardPage(
    c,
    deps,
    { title: "Your new key", current: KEYS_PATH, person },
    <>
      <Notice tone="warning">
        <p>
          <strong>This key is shown only once.</strong> Copy it now to where your script or service reads it. Anyone who
          has the key can use it.
        </p>
      </Notice>
      {also}
      <div class="card stack">
        <div class="field">
          <label for="key">Key</label>
          <input
            id="key"
            type="text"
            value={key}
            readonly
            autocomplete="off"
            spellcheck={false}
            aria-describedby="key-hint"
          />
          <p id="key-hint" class="muted small">
            Click into the field, select everything (Ctrl+A or ⌘A), and copy.
          </p>
        </div>
        <dl class="facts">
          <dt>Name</dt>
          <dd>
            <bdi>{keyName(info)}</bdi>
          </dd>
          <dt>Expires</dt>
          <dd>{info.expiresAt ? <Time at={info.expiresAt} /> : "Never"}</dd>
        </dl>
      </div>
      <p>For a script that has the key in the environment variable MRG_API_KEY:</p>
      <KeyExample endpoint={`${deps.config.BASE_URL}/mcp`} />
      <p>
        <a href={`${KEYS_PATH}/${info.id}`}>Details of the key</a> · <a href={KEYS_PATH}>All keys</a>
      </p>
    </>,
  );
