import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Failure } from "../../http/failure.ts";
import type { PageContext } from "./deps.ts";
import { htmlPage } from "./layout.tsx";

interface ErrorText {
  title: string;
  text: string;
  status?: ContentfulStatusCode;
}

const RETRY_FROM_APP = "Go back to the app and connect again.";
const BROKEN_REQUEST = "The app sent a request that this gateway cannot accept";
const PROVIDER_FAILED = "Signing in there did not work";

/** What went wrong, for the codes of RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6, RFC 8707 §2 and Better Auth. */
const ERRORS: Readonly<Record<string, ErrorText>> = {
  access_denied: { title: "Access was not granted", text: `Nothing was shared. ${RETRY_FROM_APP}` },
  account_not_linked: {
    title: "This address already has an account",
    text: "Sign in the way you did the first time, with the same e-mail address.",
  },
  suspended: { title: "This account is suspended", text: "Ask the operator of this gateway.", status: 403 },
  client_disabled: { title: "This app is disabled", text: "The operator of this gateway has turned it off." },
  consent_required: { title: "Your consent is needed", text: RETRY_FROM_APP },
  email_not_verified: {
    title: "The address is not confirmed",
    text: "Confirm your e-mail address where you signed in, then try again.",
  },
  interaction_required: { title: "Your answer is needed", text: RETRY_FROM_APP },
  invalid_client: {
    title: "This gateway does not know the app",
    text: "Its registration may have been removed. Remove the connection in the app and add it again.",
  },
  invalid_code: { title: PROVIDER_FAILED, text: "The answer was not valid any more. Sign in again." },
  invalid_redirect: {
    title: "The app asked to be answered at an unknown address",
    text: "It did not register this redirect URI, so you were not sent there. Remove the connection in the app and add it again.",
  },
  invalid_request: { title: BROKEN_REQUEST, text: `A parameter is missing or wrong. ${RETRY_FROM_APP}` },
  invalid_scope: { title: BROKEN_REQUEST, text: "It asked for a permission that does not exist or is not open to it." },
  invalid_signature: {
    title: "This link is not complete",
    text: `It was changed or cut off on its way. ${RETRY_FROM_APP}`,
  },
  invalid_target: { title: BROKEN_REQUEST, text: "It asked for access to something that this gateway does not serve." },
  login_required: { title: "You are not signed in", text: RETRY_FROM_APP },
  no_code: { title: PROVIDER_FAILED, text: "The provider sent no answer that could be used. Sign in again." },
  request_not_supported: { title: BROKEN_REQUEST, text: "Request objects are not supported." },
  request_uri_not_supported: { title: BROKEN_REQUEST, text: "Request URIs are not supported." },
  server_error: { title: "Something went wrong here", text: "Try again in a minute.", status: 500 },
  signup_disabled: {
    title: "Sign-up is closed",
    text: "Ask the operator of this gateway for an account.",
    status: 403,
  },
  state_mismatch: {
    title: "This sign-in has expired",
    text: "It took too long or went on in another browser. Start again.",
  },
  state_not_found: {
    title: "This sign-in has expired",
    text: "It took too long or was finished already. Start again.",
  },
  temporarily_unavailable: { title: "Not available right now", text: "Try again in a minute.", status: 503 },
  unable_to_get_user_info: { title: PROVIDER_FAILED, text: "The provider did not say who you are. Sign in again." },
  unauthorized_client: { title: "The app may not do this", text: "It is not registered for signing people in." },
  unsupported_prompt_select_account: { title: BROKEN_REQUEST, text: "Choosing an account is not supported." },
  unsupported_response_type: { title: BROKEN_REQUEST, text: "Only the authorization code flow is supported." },
};

const UNKNOWN: ErrorText = {
  title: "That did not work",
  text: `${RETRY_FROM_APP} If it happens again, ask its maker.`,
};

/** The page for an error code. Only fixed texts: whoever makes the link chooses the code and the description. */
export function errorPage(c: PageContext, code: string): Response | Promise<Response> {
  const known = Object.hasOwn(ERRORS, code) ? ERRORS[code] : undefined;
  const { title, text, status = 400 } = known ?? UNKNOWN;
  return htmlPage(
    c,
    { title, status },
    <>
      <p>{text}</p>
      {known && (
        <p class="muted small">
          Error code: <code>{code}</code>
        </p>
      )}
      <RequestId id={c.get("requestId")} />
    </>,
  );
}

/** The page for a request that threw. */
export function failurePage(c: PageContext, { code, status, text, headers }: Failure): Response | Promise<Response> {
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  const isBug = code === "internal";
  return htmlPage(
    c,
    { title: isBug ? "Something went wrong here" : "Not available right now", status },
    <>
      <p>{isBug ? "Try again. If it happens again, give the operator of this gateway the request id." : text}</p>
      <RequestId id={c.get("requestId")} />
    </>,
  );
}

const RequestId = ({ id }: { id: string | undefined }) =>
  id === undefined ? null : (
    <p class="muted small">
      Request id: <code>{id}</code>
    </p>
  );
