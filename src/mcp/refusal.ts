import { dpopChallenge, WRONG_SCHEME, type DpopError } from "../access/dpop-challenge.ts";
import type { AccessRefusal } from "../access/refusal.ts";
import { MINIMAL_SCOPES } from "../identity/scopes.ts";
import type { BodyRefusal } from "../platform/body.ts";
import { JSON_RPC } from "../platform/json-rpc.ts";
import { refusalHeaders } from "./limits.ts";

/** Everything that `/mcp` answers with an error of its own before a tool runs. A new kind fails to compile until it has an answer. */
export type Refusal =
  | AccessRefusal
  | { kind: "foreign_origin" }
  | { kind: "method_not_allowed" }
  | BodyRefusal
  | { kind: "not_a_single_message" }
  | { kind: "unknown_server" }
  | { kind: "unknown_tool"; name: string }
  | { kind: "upstream_unavailable"; message: string; slug: string }
  | { kind: "unavailable" }
  | { kind: "internal" };

/** A JSON-RPC error and how HTTP carries it. */
interface Answer {
  status: number;
  /** From JSON-RPC 2.0 §5.1 where one fits, else the HTTP status: a code of our own outside the reserved range. */
  code: number;
  message: string;
  /** RFC 6750 §3 error for the challenge; absent on a first visit without a credential. */
  oauthError?: "invalid_request" | "invalid_token" | "insufficient_scope";
  challengeScopes?: readonly string[];
  /** RFC 9449 §7.1 error for the challenge of a client that binds its tokens to a key. */
  dpopError?: DpopError;
  headers?: Readonly<Record<string, string>>;
  data?: Readonly<Record<string, unknown>>;
}

const RETRY_SECONDS = 2;

function answer(refusal: Refusal): Answer {
  switch (refusal.kind) {
    case "no_credential":
      return {
        status: 401,
        code: 401,
        message: "Authentication required: sign in with OAuth, or send an API key in the x-api-key header.",
        challengeScopes: MINIMAL_SCOPES,
      };
    case "several_credentials":
      return {
        status: 400,
        code: JSON_RPC.invalidRequest,
        message: "Send exactly one credential: an Authorization header or an x-api-key header.",
        oauthError: "invalid_request",
      };
    case "credential_in_url":
      return {
        status: 401,
        code: 401,
        message:
          "Credentials in the URL are not accepted: send them in a header, and replace this one, it may have been logged.",
        oauthError: "invalid_request",
        challengeScopes: MINIMAL_SCOPES,
      };
    case "invalid_credential":
      return {
        status: 401,
        code: 401,
        message:
          refusal.presented === "api_key"
            ? "This API key is not valid: it is mistyped, expired, disabled or revoked."
            : "This access token is not valid here: it is expired, revoked, or meant for another resource. Refresh it or sign in again.",
        ...(refusal.scheme === undefined
          ? { oauthError: "invalid_token", challengeScopes: MINIMAL_SCOPES }
          : { dpopError: "invalid_token" }),
      };
    case "wrong_token_scheme":
      return { status: 401, code: 401, message: WRONG_SCHEME[refusal.presented], dpopError: "invalid_token" };
    case "invalid_dpop_proof":
      return { status: 401, code: 401, message: refusal.problem, dpopError: "invalid_dpop_proof" };
    case "insufficient_scope":
      return {
        status: 403,
        code: 403,
        message: `This needs the scope ${refusal.required.join(" ")}.`,
        oauthError: "insufficient_scope",
        challengeScopes: refusal.required,
        data: { requiredScopes: refusal.required },
      };
    case "not_administrator":
      return { status: 403, code: 403, message: "This is for administrators of this gateway." };
    case "address_not_allowed":
      return {
        status: 403,
        code: 403,
        message: "This API key may not be used from your address. Its owner decides from where.",
      };
    case "not_on_list":
      return {
        status: 200,
        code: JSON_RPC.invalidParams,
        message: "Unknown tool or server: this API key has none of this name on its list.",
      };
    case "rate_limited":
      return limited(refusal);
    case "quota_exceeded": {
      const { max, period, endsAt } = refusal.quota;
      const retrySeconds = refusal.retryMs === null ? null : Math.max(1, Math.ceil(refusal.retryMs / 1000));
      const until =
        endsAt === null ? "Ask its owner for more." : `It starts again at ${new Date(endsAt).toISOString()}.`;
      return {
        status: 429,
        code: 429,
        message: `The quota of this API key is used up: ${max} calls${endsAt === null ? " in all" : ` in ${period}`}. ${until}`,
        headers: retrySeconds === null ? {} : { "retry-after": String(retrySeconds) },
        data: {
          tier: "quota",
          retryAfterSeconds: retrySeconds,
          resetsAt: endsAt === null ? null : new Date(endsAt).toISOString(),
        },
      };
    }
    case "foreign_origin":
      return { status: 403, code: JSON_RPC.invalidRequest, message: "Requests from this web origin are not allowed." };
    case "method_not_allowed":
      return { status: 405, code: JSON_RPC.invalidRequest, message: "Use POST.", headers: { allow: "POST, OPTIONS" } };
    case "too_large":
      return {
        status: 413,
        code: JSON_RPC.invalidRequest,
        message: `The request is larger than ${refusal.limitBytes} bytes.`,
      };
    case "unsupported_media_type":
      return { status: 415, code: JSON_RPC.invalidRequest, message: "Send Content-Type: application/json." };
    case "malformed_json":
      return { status: 400, code: JSON_RPC.parseError, message: "The body is not valid JSON in UTF-8." };
    case "not_a_single_message":
      return {
        status: 400,
        code: JSON_RPC.invalidRequest,
        message: "Send one JSON-RPC 2.0 request or notification; batches are not accepted.",
      };
    case "unknown_tool":
      return { status: 200, code: JSON_RPC.invalidParams, message: `Unknown tool: ${refusal.name.slice(0, 128)}` };
    case "unknown_server":
      return {
        status: 200,
        code: JSON_RPC.invalidParams,
        message: "Unknown server: your organization has none of this name.",
      };
    case "upstream_unavailable":
      return {
        status: 200,
        code: JSON_RPC.internalError,
        message: refusal.message,
        data: { server: refusal.slug, retryAfterSeconds: RETRY_SECONDS },
      };
    case "unavailable":
      return {
        status: 503,
        code: JSON_RPC.internalError,
        message: "The gateway cannot check this request right now. Try again shortly.",
        headers: { "retry-after": String(RETRY_SECONDS) },
        data: { retryAfterSeconds: RETRY_SECONDS },
      };
    case "internal":
      return {
        status: 500,
        code: JSON_RPC.internalError,
        message: "The gateway failed to answer. Its operator finds the cause by the request id.",
      };
    default:
      return refusal satisfies never;
  }
}

/** An error that an agent can act on: which limit, and when to come back. */
function limited({ tier, retryMs, limits }: Extract<AccessRefusal, { kind: "rate_limited" }>): Answer {
  const retryAfterSeconds = Math.max(1, Math.ceil(retryMs / 1000));
  const whose = tier === "address" ? "requests of your address that came to nothing" : `the ${tier}'s calls`;
  return {
    status: 429,
    code: 429,
    message: `Too many requests: the limit on ${whose} is reached. Try again in ${retryAfterSeconds} s.`,
    headers: refusalHeaders(limits, retryAfterSeconds),
    data: { tier, retryAfterSeconds },
  };
}

/** The HTTP answer for a refusal: a JSON-RPC error with a stable `data.code`, and the challenge of RFC 6750 and RFC 9728 where one is due. */
export function refusalResponse(
  refusal: Refusal,
  context: { id: string | number | null; requestId: string; resourceMetadata: string },
): Response {
  const refused = answer(refusal);
  const { status, code, message, headers, data } = refused;
  const challenge = challengeOf(refused, context.resourceMetadata);
  const error = { code, message, data: { code: refusal.kind, requestId: context.requestId, ...data } };
  return Response.json(
    { jsonrpc: "2.0", error, id: context.id },
    { status, headers: { ...headers, ...challenge, "cache-control": "no-store" } },
  );
}

function challengeOf(
  { oauthError, challengeScopes, dpopError, message }: Answer,
  metadata: string,
): { "www-authenticate"?: string } {
  if (dpopError !== undefined) return { "www-authenticate": dpopChallenge(dpopError, metadata) };
  if (oauthError === undefined && challengeScopes === undefined) return {};
  return { "www-authenticate": bearerChallenge(metadata, oauthError, challengeScopes, message) };
}

/** `WWW-Authenticate` of RFC 6750 §3 with `resource_metadata` (RFC 9728 §5.1). Texts are ours and hold no quotes. */
function bearerChallenge(
  metadata: string,
  error: string | undefined,
  scopes: readonly string[] | undefined,
  description: string,
) {
  const parts = [
    ...(error === undefined ? [] : [`error="${error}"`, `error_description="${description}"`]),
    ...(scopes === undefined ? [] : [`scope="${scopes.join(" ")}"`]),
    `resource_metadata="${metadata}"`,
  ];
  return `Bearer ${parts.join(", ")}`;
}
