import * as z from "zod";
import { ERROR_STATUS, type ErrorCode } from "../platform/errors.ts";

const CODES = Object.keys(ERROR_STATUS);

/** RFC 9457 problem details; `code` is stable, `detail` is for people, `requestId` finds the log lines. */
const shape = z.object({
  type: z.literal("about:blank").describe("Nothing more is said of the kind of problem than its code."),
  title: z.string().describe("The code in words."),
  status: z.number().int().describe("The HTTP status."),
  code: z.enum(CODES).describe("What went wrong; stable, for programs."),
  detail: z.string().describe("What was wrong and what to do, for people."),
  requestId: z.string().describe("Finds this request in the logs of the gateway."),
});

export const problemShape = shape.meta({ id: "Problem", description: "Problem details (RFC 9457)." });

/** As the MCP Registry API sends it. */
export const registryProblemShape = shape
  .extend({
    error: z.string().describe("The same as `detail`: publishing tools read it."),
    errors: z
      .array(
        z.object({
          pointer: z.string().describe("Where: a JSON Pointer (RFC 6901)."),
          code: z.string().describe("Which problem it is."),
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

/** When each code is answered, for the documentation. */
export const PROBLEM_TEXTS: Readonly<Record<ErrorCode, string>> = {
  invalid_request: "the request is not as it must be; `detail` names each fault.",
  version_exists: "this version is published already.",
  unauthenticated: "a credential is needed.",
  invalid_credential: "the credential is mistyped, expired, disabled or revoked.",
  insufficient_scope: "the credential does not hold the scope.",
  forbidden: "the caller may not do this.",
  not_found: "there is nothing of this name or id for the caller.",
  method_not_allowed: "the address has other methods.",
  conflict: "this does not go together with what is there.",
  too_large: "the body is too large.",
  unsupported_media_type: "the body is not `application/json`.",
  invalid_definition: "the server.json has problems.",
  idempotency_mismatch: "the Idempotency-Key was used for another request.",
  rate_limited: "too many requests; wait for the time in Retry-After.",
  quota_exceeded: "the quota of the API key is used up.",
  internal: "the gateway failed.",
  not_implemented: "the operator has not set this up, or it cannot be done.",
  not_configured: "the gateway is not configured.",
  unavailable: "the gateway cannot do this right now; try again.",
  revocation_pending: "the change is made, and will be in force everywhere within 30 seconds.",
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

/** The answer for an error code: problem details that are never cached. */
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
