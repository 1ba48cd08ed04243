import { NeonDbError } from "@neondatabase/serverless";

/** The codes of `application/problem+json` answers, with the HTTP status of each. */
export const ERROR_STATUS = {
  invalid_request: 400,
  version_exists: 400,
  unauthenticated: 401,
  invalid_credential: 401,
  insufficient_scope: 403,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  too_large: 413,
  unsupported_media_type: 415,
  invalid_definition: 422,
  idempotency_mismatch: 422,
  rate_limited: 429,
  quota_exceeded: 429,
  internal: 500,
  not_implemented: 501,
  not_configured: 503,
  unavailable: 503,
  revocation_pending: 503,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

/**
 * An expected failure, to be reported to the caller. `message` is public: it says what was wrong and what to do.
 * `internal` is only for the log.
 */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly internal: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Further members of problem details (RFC 9457 §3.2). */
  readonly members: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { internal?: string; headers?: Record<string, string>; members?: Record<string, unknown> } = {},
  ) {
    super(message);
    this.code = code;
    this.internal = options.internal;
    this.headers = options.headers ?? {};
    this.members = options.members ?? {};
  }
}

/**
 * Postgres, Redis or a service that a request needs did not answer, or gave an invalid answer: the caller may retry.
 * Code that calls such a store throws this class or a subclass; no code distinguishes errors by the names or texts of
 * libraries.
 */
export class Unavailable extends Error {
  override readonly name: string = "Unavailable";
}

/** Whether the error is an {@link Unavailable}, or was caused by one, as opposed to a bug. */
export function isUnavailable(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = causeOf(cause)) if (cause instanceof Unavailable) return true;
  return false;
}

/** The cause of an error. The Postgres driver keeps the error of its request in a member of its own. */
const causeOf = (error: Error): unknown => (error instanceof NeonDbError ? error.sourceError : error.cause);
