import { DECIDE_DEVICE_PATH, WAITING_DEVICE_PATH } from "../../identity/pages.ts";
import { membershipsOf } from "../../identity/tenants.ts";
import { readUserCode } from "../../grants/device/user-code.ts";
import { requestAuth, textOf, type AuthAnswer } from "../frame/auth-request.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import { codePage, decidedPage, DEVICE_PATH, deviceRequestPage } from "./device-pages.tsx";
import { errorPage } from "../frame/error.tsx";
import { htmlPage } from "../frame/layout.tsx";
import { formToken, refusedForm } from "../frame/protected-form.tsx";
import { grantedScopes } from "./scopes.tsx";
import { signedIn, type SignedIn } from "../frame/session.ts";
import { inWords } from "../frame/time.tsx";

/** The same text for a code that never existed, has expired, or was decided already. */
const WRONG_CODE =
  "This code is not valid. It may be mistyped, expired or already used. Compare it with the code on the device.";

/** `GET /device`, to which a device sends people, and `GET /device/{code}`, to which they return after signing in. */
export function showDevice(deps: WebDeps) {
  return async (c: PageContext) => {
    const code = readUserCode(c.req.query("user_code") ?? c.req.param("code") ?? "");
    const person = await signedIn(c, deps, { fresh: true });
    return person ? askForCode(c, deps, { person, code }) : signInFirst(c, deps, code);
  };
}

/** `POST /device`: shows which device has the code that somebody entered. */
export function enterDeviceCode(deps: WebDeps) {
  return async (c: PageContext) => {
    const typed = c.get("form").get("user_code") ?? "";
    const code = readUserCode(typed);
    const person = await signedIn(c, deps, { fresh: true });
    if (!person) return signInFirst(c, deps, code);
    const answer = await requestAuth(c, deps, WAITING_DEVICE_PATH, { userCode: typed });
    if (answer.status === 401) return signInFirst(c, deps, code);
    if (answer.status !== 200 || code === undefined) return askAgain(c, deps, person, typed, answer);
    return deviceRequestPage(c, {
      person,
      memberships: await membershipsOf(deps.db, person.userId),
      userCode: code,
      clientId: textOf(answer.body, "clientId") ?? "",
      clientName: textOf(answer.body, "clientName"),
      scopes: listOf(answer.body["scopes"]),
      resources: listOf(answer.body["resources"]),
      decideToken: await formToken(c, deps, "device-decision"),
      signOutToken: await formToken(c, deps, "sign-out"),
    });
  };
}

/** `POST /device/decide`: approves the device, for one tenant, or denies it. */
export function decideDevice(deps: WebDeps) {
  return async (c: PageContext) => {
    const form = c.get("form");
    const [userCode, decision] = [form.get("user_code") ?? "", form.get("decision")];
    const person = await signedIn(c, deps, { fresh: true });
    if (!person) return signInFirst(c, deps, readUserCode(userCode));
    // If somebody else has signed in since the page was shown, they have not seen it.
    if (form.get("user") !== person.userId) return refusedForm(c, deps.config.BASE_URL, "expired");
    if (decision !== "approve" && decision !== "deny") return errorPage(c, "invalid_request");
    const accept = decision === "approve";
    const tenantId = form.get("tenant") ?? person.tenantId;
    const admin = grantedScopes(["admin"], person, form).length > 0;
    const granted = { tenantId, admin };
    const answer = await requestAuth(c, deps, DECIDE_DEVICE_PATH, { userCode, accept, ...(accept && granted) });
    if (answer.status === 200) return decidedPage(c, accept);
    if (answer.code === "NO_MEMBER") return noMemberPage(c);
    return askAgain(c, deps, person, userCode, answer);
  };
}

const listOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];

function signInFirst(c: PageContext, { config }: Pick<WebDeps, "config">, code: string | undefined) {
  const next = code === undefined ? DEVICE_PATH : `${DEVICE_PATH}/${code}`;
  return c.redirect(`${config.LOGIN_PAGE}?${new URLSearchParams({ next }).toString()}`, 303);
}

function askAgain(c: PageContext, deps: WebDeps, person: SignedIn, code: string, { status, retryAfter }: AuthAnswer) {
  if (status !== 429) return askForCode(c, deps, { person, code, problem: WRONG_CODE, status: 400 });
  c.header("retry-after", String(retryAfter));
  const problem = `Too many codes were entered. Wait ${inWords(retryAfter)}, then try again.`;
  return askForCode(c, deps, { person, code, problem, status });
}

async function askForCode(
  c: PageContext,
  deps: WebDeps,
  asked: { person: SignedIn; code: string | undefined; problem?: string; status?: 400 | 429 },
) {
  const deviceToken = await formToken(c, deps, "device");
  return codePage(c, { ...asked, deviceToken, signOutToken: await formToken(c, deps, "sign-out") });
}

const noMemberPage = (c: PageContext) =>
  htmlPage(
    c,
    { title: "You are not a member of this organization", status: 403 },
    <p>
      Nothing was granted. <a href={DEVICE_PATH}>Enter the code again</a>.
    </p>,
  );
