import { updateKey } from "../../keys/changes.ts";
import { getKey, type KeyActor, type KeyChange, type KeyInfo, type KeyRefusal } from "../../keys/keys.ts";
import { revokeKey } from "../../keys/revocation.ts";
import { rotateKey } from "../../keys/rotation.ts";
import { RECORD_SECONDS } from "../../platform/outbox.ts";
import { forPerson } from "../frame/dashboard.tsx";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { keyPage, OVERLAPS, revokeKeyPage, type KeyPageState, type SeenKey } from "./page.tsx";
import { keyShownPage } from "./shown.tsx";
import { keyActor, keyDeps, orPending } from "./actor.ts";
import { atInputs, changedTerms, entriesOf, inputProblems, keyEntries, readTerms, type KeyEntries } from "./form.ts";
import { KEYS_PATH } from "./keys.tsx";
import { notFoundPage } from "../frame/not-found.tsx";
import { Time } from "../frame/time.tsx";

const KEY_ID = /^[\w-]{1,64}$/;
const DONE = {
  name: "The name was changed.",
  limits: "The permissions and limits were saved.",
  enabled: "The key is enabled.",
  disabled: "The key is disabled. It does not work until you enable it.",
  revoked: "The key is revoked. It never works again.",
} as const;

interface Asked extends SeenKey {
  actor: KeyActor;
}

type Answer = (c: PageContext, asked: Asked) => Response | Promise<Response>;

/** Handles a request about one key for people who manage it. Everybody else gets "not found". */
function forKey(deps: WebDeps, answer: Answer) {
  return forPerson(deps, KEYS_PATH, async (c, person) => {
    const id = c.req.param("key") ?? "";
    const info = KEY_ID.test(id)
      ? await getKey(deps.db, { userId: person.userId, tenantId: null }, id, Date.now())
      : null;
    if (!info) return noSuchKey(c);
    const actor = await keyActor(c, deps, person);
    return answer(c, { info, person, actor, scopes: actor.scopes });
  });
}

const noSuchKey = (c: PageContext) => notFoundPage(c, "There is no such key, or you do not manage it.");

/** `GET /dashboard/keys/{id}`. */
export function showKey(deps: WebDeps) {
  return forKey(deps, (c, asked) => {
    const done = c.req.query("done") ?? "";
    const text = Object.hasOwn(DONE, done) ? DONE[done as keyof typeof DONE] : undefined;
    return keyPage(c, deps, asked, text === undefined ? {} : { notice: { tone: "success", text } });
  });
}

/** `POST …/name`. */
export function renameKey(deps: WebDeps) {
  return forKey(deps, (c, asked) => {
    const { name } = keyEntries(c.get("form"));
    return change(c, deps, asked, { name }, { done: "name", entries: { ...entriesOf(asked.info), name } });
  });
}

/**
 * `POST …/limits`: changes the permissions and limits of the key. Fields that are the same as before are left alone.
 */
export function changeLimits(deps: WebDeps) {
  return forKey(deps, (c, asked) => {
    const entries = { ...keyEntries(c.get("form")), name: asked.info.name };
    return change(c, deps, asked, changedTerms(readTerms(entries), asked.info), { done: "limits", entries });
  });
}

/** `POST …/enabled`: disables a key or enables it again. */
export function enableKey(deps: WebDeps) {
  return forKey(deps, (c, asked) => {
    const enabled = c.get("form").get("enabled") === "yes";
    const done = enabled ? "enabled" : "disabled";
    return change(c, deps, asked, { enabled }, { done, entries: entriesOf(asked.info) });
  });
}

async function change(
  c: PageContext,
  deps: WebDeps,
  asked: Asked,
  wished: KeyChange,
  { done, entries }: { done: keyof typeof DONE; entries: KeyEntries },
): Promise<Response> {
  const now = Date.now();
  const problems = inputProblems(wished, now);
  if (Object.keys(problems).length > 0) return keyPage(c, deps, asked, { entries, problems, status: 400 });
  if (Object.keys(wished).length === 0) return back(c, asked.info, done);
  const outcome = await orPending(updateKey(keyDeps(deps), asked.actor, asked.info.id, wished, now));
  if (outcome.state === "done") return back(c, asked.info, done);
  if (outcome.state === "pending") return pendingPage(c, deps, asked, DONE[done]);
  return refusal(c, deps, asked, outcome, entries);
}

/**
 * `POST …/rotate`: responds with the page that shows the new key. A key is rotated once, so a repeated post shows no
 * key.
 */
export function postRotate(deps: WebDeps) {
  return forKey(deps, async (c, asked) => {
    const { info, person, actor } = asked;
    const overlap = OVERLAPS.find(({ value }) => value === c.get("form").get("overlap"));
    if (!overlap) return keyPage(c, deps, asked, danger(400, "Choose how long the old key keeps working."));
    const now = Date.now();
    const options = { overlapSeconds: overlap.seconds };
    const outcome = await rotateKey(keyDeps(deps), actor, info.id, options, now);
    if (outcome.state !== "done") return refusal(c, deps, asked, outcome);
    const end = new Date(Math.min(now + overlap.seconds * 1000, info.expiresAt?.getTime() ?? Infinity));
    const also = (
      <p>
        {overlap.seconds === 0 ? (
          outcome.isPending === true ? (
            `The old key stops working within ${RECORD_SECONDS} seconds.`
          ) : (
            "The old key no longer works."
          )
        ) : (
          <>
            The old key works until <Time at={end} />.
          </>
        )}
      </p>
    );
    return keyShownPage(c, deps, person, { ...outcome, also });
  });
}

/** `GET …/revoke`: asks for confirmation. For a key that is already revoked, redirects to its page. */
export function askRevoke(deps: WebDeps) {
  return forKey(deps, (c, asked) =>
    asked.info.status === "revoked" ? back(c, asked.info, "revoked") : revokeKeyPage(c, deps, asked),
  );
}

/** `POST …/revoke`: revokes the key permanently. */
export function postRevoke(deps: WebDeps) {
  return forKey(deps, async (c, asked) => {
    const outcome = await orPending(revokeKey(keyDeps(deps), asked.actor, asked.info.id, Date.now()));
    if (outcome.state === "done") return back(c, asked.info, "revoked");
    if (outcome.state === "pending") return pendingPage(c, deps, asked, DONE.revoked);
    return refusal(c, deps, asked, outcome);
  });
}

const back = (c: PageContext, { id }: KeyInfo, done: keyof typeof DONE) =>
  c.redirect(`${KEYS_PATH}/${id}?done=${done}`, 303);

const danger = (status: 400 | 403 | 409, text: string): KeyPageState => ({ status, notice: { tone: "danger", text } });

/**
 * For a change that is committed but not yet in Redis. Until records expire, calls may still see the state before it.
 */
async function pendingPage(c: PageContext, deps: WebDeps, asked: Asked, text: string): Promise<Response> {
  const info = await getKey(deps.db, { userId: asked.person.userId, tenantId: null }, asked.info.id, Date.now());
  c.header("retry-after", "5");
  return keyPage(
    c,
    deps,
    { ...asked, info: info ?? asked.info },
    {
      status: 503,
      notice: { tone: "warning", text: `${text} It may take up to 30 seconds until this applies everywhere.` },
    },
  );
}

function refusal(
  c: PageContext,
  deps: WebDeps,
  asked: Asked,
  refused: KeyRefusal,
  entries: KeyEntries = entriesOf(asked.info),
): Response | Promise<Response> {
  switch (refused.state) {
    case "unknown":
      return noSuchKey(c);
    case "refused":
      return keyPage(c, deps, asked, { entries, problems: atInputs(refused.problems), status: 400 });
    case "forbidden":
      return keyPage(c, deps, asked, { entries, ...danger(403, refused.problem) });
    case "conflict":
      return keyPage(c, deps, asked, { entries, ...danger(409, refused.problem) });
    default:
      return refused satisfies never;
  }
}
