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
  /** What else has happened. */
  also?: Child;
}

/** The one page that shows a key: the answer to the form that made it. Reloading it sends that form again, which makes and shows nothing. */
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
          <strong>This is the only time that the key is shown.</strong> Copy it now to where the program reads it.
          Whoever has it can use it.
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
      <p>A script that has it in the environment variable MRG_API_KEY:</p>
      <KeyExample endpoint={`${deps.config.BASE_URL}/mcp`} />
      <p>
        <a href={`${KEYS_PATH}/${info.id}`}>Details of the key</a> · <a href={KEYS_PATH}>All keys</a>
      </p>
    </>,
  );
