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
const PROVIDER_FAILED = "Signing in with the provider failed";

/** Texts for the error codes of RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6, RFC 8707 §2 and Better Auth. */
const ERRORS: Readonly<Record<string, ErrorText>> = {
  access_denied: { title: "Access was not granted", text: `Nothing was shared. ${RETRY_FROM_APP}` },
  account_not_linked: {
    title: "This address already has an account",
    text: "Sign in the way you did the first time, with the same email address.",
  },
  suspended: { title: "This account is suspended", text: "Ask the operator of this gateway.", status: 403 },
  client_disabled: { title: "This app is disabled", text: "The operator of this gateway has turned it off." },
  consent_required: { title: "Your consent is needed", text: RETRY_FROM_APP },
  email_not_verified: {
    title: "Your email address is not confirmed",
    text: "Confirm your email address with the provider, then try again.",
  },
  interaction_required: { title: "Your input is needed", text: RETRY_FROM_APP },
  invalid_client: {
    title: "This gateway does not know the app",
    text: "Its registration may have been removed. Remove the connection in the app and add it again.",
  },
  invalid_code: { title: PROVIDER_FAILED, text: "The provider's answer was no longer valid. Sign in again." },
  invalid_redirect: {
    title: "This app's redirect address isn't registered",
    text: "The app did not register this redirect URI, so you were not sent there. Remove the connection in the app and add it again.",
  },
  invalid_request: { title: BROKEN_REQUEST, text: `A parameter is missing or wrong. ${RETRY_FROM_APP}` },
  invalid_scope: {
    title: BROKEN_REQUEST,
    text: "The app asked for a permission that does not exist or that it may not have.",
  },
  invalid_signature: {
    title: "This link is incomplete",
    text: `The link was changed or cut off. ${RETRY_FROM_APP}`,
  },
  invalid_target: {
    title: BROKEN_REQUEST,
    text: "The app asked for access to a resource that this gateway does not serve.",
  },
  login_required: { title: "You are not signed in", text: RETRY_FROM_APP },
  no_code: { title: PROVIDER_FAILED, text: "The provider sent no usable answer. Sign in again." },
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
    text: "It took too long, or was continued in another browser. Start again.",
  },
  state_not_found: {
    title: "This sign-in has expired",
    text: "It took too long, or was already finished. Start again.",
  },
  temporarily_unavailable: { title: "Not available right now", text: "Try again in a minute.", status: 503 },
  unable_to_get_user_info: {
    title: PROVIDER_FAILED,
    text: "The provider did not send your account details. Sign in again.",
  },
  unauthorized_client: {
    title: "The app is not allowed to do this",
    text: "It is not registered for signing people in.",
  },
  unsupported_prompt_select_account: { title: BROKEN_REQUEST, text: "Choosing an account is not supported." },
  unsupported_response_type: { title: BROKEN_REQUEST, text: "Only the authorization code flow is supported." },
};

const UNKNOWN: ErrorText = {
  title: "The request failed",
  text: `${RETRY_FROM_APP} If it happens again, contact the app's developer.`,
};

/**
 * The page for an error code. It has fixed texts only, because anybody can create a link with any code and description.
 */
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

/** The page for a request whose handler threw an error. */
export function failurePage(c: PageContext, { code, status, text, headers }: Failure): Response | Promise<Response> {
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  const isBug = code === "internal";
  return htmlPage(
    c,
    { title: isBug ? "Something went wrong here" : "Not available right now", status },
    <>
      <p>{isBug ? "Try again. If it happens again, send the request ID to the operator of this gateway." : text}</p>
      <RequestId id={c.get("requestId")} />
    </>,
  );
}

const RequestId = ({ id }: { id: string | undefined }) =>
  id === undefined ? null : (
    <p class="muted small">
      Request ID: <code>{id}</code>
    </p>
  );
