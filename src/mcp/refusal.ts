import { dpopChallenge, WRONG_SCHEME, type DpopError } from "../access/dpop-challenge.ts";
import type { AccessRefusal } from "../access/refusal.ts";
import { MINIMAL_SCOPES } from "../identity/scopes.ts";
import type { BodyRefusal } from "../platform/body.ts";
import { JSON_RPC } from "../platform/json-rpc.ts";
import { refusalHeaders } from "./limits.ts";

/** All refusals that `/mcp` answers itself before a tool runs. A new kind does not compile until it has an answer. */
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

/** A JSON-RPC error, with its HTTP status and headers. */
interface Answer {
  status: number;
  /** A code of JSON-RPC 2.0 §5.1 where one fits. Otherwise the HTTP status, which is outside of the reserved range. */
  code: number;
  message: string;
  /** RFC 6750 §3 error for the challenge. Absent when the request had no credential. */
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
        message: "Authentication required. Sign in with OAuth, or send an API key in the x-api-key header.",
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
          "Credentials in the URL are not accepted. Send them in a header, and replace this one: it may have been logged.",
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
    case "malformed_credential":
      return {
        status: 401,
        code: 401,
        message: refusal.problem,
        oauthError: "invalid_token",
        challengeScopes: MINIMAL_SCOPES,
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
        message: "This API key may not be used from your IP address. Ask its owner to allow it.",
      };
    case "not_on_list":
      return {
        status: 200,
        code: JSON_RPC.invalidParams,
        message: "Unknown tool or server. It does not exist, or this API key may not use it.",
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
      return {
        status: 405,
        code: JSON_RPC.invalidRequest,
        message: "This is an MCP endpoint. Add its URL to an MCP client, or send a POST request.",
        headers: { allow: "POST, OPTIONS" },
      };
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
        message: "Send one JSON-RPC 2.0 request or notification. Batches are not accepted.",
      };
    case "unknown_tool":
      return { status: 200, code: JSON_RPC.invalidParams, message: `Unknown tool: ${refusal.name.slice(0, 128)}` };
    case "unknown_server":
      return {
        status: 200,
        code: JSON_RPC.invalidParams,
        message: "Unknown server. Your organization has no server with this slug.",
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
        message: "The gateway failed to answer. Give its operator the request id.",
      };
    default:
      return refusal satisfies never;
  }
}

/** An error that an agent can act on: it says which limit was reached and when to try again. */
function limited({ tier, retryMs, limits }: Extract<AccessRefusal, { kind: "rate_limited" }>): Answer {
  const retryAfterSeconds = Math.max(1, Math.ceil(retryMs / 1000));
  const whose = tier === "address" ? "failed requests from your address" : `the ${tier}'s calls`;
  return {
    status: 429,
    code: 429,
    message: `Too many requests: the limit on ${whose} is reached. Try again in ${retryAfterSeconds} s.`,
    headers: refusalHeaders(limits, retryAfterSeconds),
    data: { tier, retryAfterSeconds },
  };
}

/**
 * The HTTP answer to a refusal: a JSON-RPC error with a stable `data.code`, and a challenge by RFC 6750 and RFC 9728
 * where required.
 */
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

/** `WWW-Authenticate` of RFC 6750 §3 with `resource_metadata` (RFC 9728 §5.1). Our texts contain no double quotes. */
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
