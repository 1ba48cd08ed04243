import * as z from "zod";
import { ERROR_STATUS, type ErrorCode } from "../platform/errors.ts";

const CODES = Object.keys(ERROR_STATUS);

/** RFC 9457 problem details. `code` is stable, `detail` is for people, `requestId` identifies the log lines. */
const shape = z.object({
  type: z.literal("about:blank").describe("Always `about:blank`: `code` identifies the problem."),
  title: z.string().describe("The code in words."),
  status: z.number().int().describe("The HTTP status."),
  code: z.enum(CODES).describe("The error code; stable, for programs."),
  detail: z.string().describe("What was wrong and what to do, for people."),
  requestId: z.string().describe("The id of this request in the gateway's logs."),
});

export const problemShape = shape.meta({ id: "Problem", description: "Problem details (RFC 9457)." });

/** Problem details in the form of the MCP Registry API. */
export const registryProblemShape = shape
  .extend({
    error: z.string().describe("The same as `detail`, for publishing tools."),
    errors: z
      .array(
        z.object({
          pointer: z.string().describe("The place of the problem, as a JSON Pointer (RFC 6901)."),
          code: z.string().describe("The code of the problem."),
          problem: z.string().describe("What is wrong and what to do."),
        }),
      )
      .optional()
      .describe("With `invalid_definition`: each problem of the server.json."),
  })
  .meta({ id: "RegistryProblem", description: "Problem details (RFC 9457) of the registry." });

export interface Problem extends z.infer<typeof shape> {
  code: ErrorCode;
}

/** The meaning of each code, for the documentation. */
export const PROBLEM_TEXTS: Readonly<Record<ErrorCode, string>> = {
  invalid_request: "the request is not valid; `detail` names each fault.",
  version_exists: "this version is already published.",
  unauthenticated: "a credential is needed.",
  invalid_credential: "the credential is mistyped, expired, disabled or revoked.",
  insufficient_scope: "the credential does not have the required scope.",
  forbidden: "the caller may not do this.",
  not_found: "there is nothing with this name or id that the caller can see.",
  method_not_allowed: "the address does not support this method.",
  conflict: "the request conflicts with the current state.",
  too_large: "the body is too large.",
  unsupported_media_type: "the body is not `application/json`.",
  invalid_definition: "the server.json has problems.",
  idempotency_mismatch: "the Idempotency-Key was used for a different request.",
  rate_limited: "too many requests; wait for the time in Retry-After.",
  quota_exceeded: "the quota of the API key is used up.",
  internal: "the gateway failed.",
  not_implemented: "the operator has not configured this, or it is not supported.",
  not_configured: "the gateway is not configured.",
  unavailable: "the gateway is temporarily unable to do this; try again.",
  revocation_pending: "the change is saved, and will be in force everywhere within 30 seconds.",
};

const TITLES: Partial<Record<ErrorCode, string>> = {
  unauthenticated: "Authentication required",
  internal: "Internal error",
};

interface Extras {
  headers?: Readonly<Record<string, string>>;
  /** Extension members (RFC 9457 §3.2). */
  members?: Readonly<Record<string, unknown>>;
}

/** The answer for an error code: problem details, never cached. */
export function problemResponse(
  code: ErrorCode,
  detail: string,
  requestId: string,
  { headers = {}, members = {} }: Extras = {},
): Response {
  const status = ERROR_STATUS[code];
  const title = TITLES[code] ?? `${code[0]?.toUpperCase()}${code.slice(1).replaceAll("_", " ")}`;
  const problem: Problem = { type: "about:blank", title, status, code, detail, requestId };
  return Response.json(
    { ...problem, ...members },
    { status, headers: { ...headers, "content-type": "application/problem+json", "cache-control": "no-store" } },
  );
}
