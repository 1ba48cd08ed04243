/** The codes a caller can meet in an `application/problem+json` answer, with the status each is sent with. */
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
 * An expected failure on its way to the caller. `message` is public: it says what was wrong and what to do.
 * `internal` is for the log only.
 */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly internal: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, options: { internal?: string; headers?: Record<string, string> } = {}) {
    super(message);
    this.code = code;
    this.internal = options.internal;
    this.headers = options.headers ?? {};
  }
}

/** RFC 9457 problem details; `code` is stable, `detail` is for people, `requestId` finds the log lines. */
export interface Problem {
  type: "about:blank";
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  requestId: string;
}

const TITLES: Partial<Record<ErrorCode, string>> = {
  unauthenticated: "Authentication required",
  internal: "Internal error",
};

/** The answer for an error code: problem details that are never cached. */
export function problemResponse(
  code: ErrorCode,
  detail: string,
  requestId: string,
  headers: Record<string, string> = {},
): Response {
  const status = ERROR_STATUS[code];
  const title = TITLES[code] ?? `${code[0]?.toUpperCase()}${code.slice(1).replaceAll("_", " ")}`;
  const problem: Problem = { type: "about:blank", title, status, code, detail, requestId };
  return Response.json(problem, {
    status,
    headers: { ...headers, "content-type": "application/problem+json", "cache-control": "no-store" },
  });
}

const STORE_ERRORS = new Set([
  "UpstashError",
  "UpstashJSONParseError",
  "NeonDbError",
  "DrizzleQueryError",
  "TimeoutError",
  "AbortError",
  "RedisUnavailable",
]);
/** SQLSTATE classes that say "not now" rather than "wrong": connection, resources, operator intervention, rollback. */
const TRANSIENT_STATES = /^(08|53|57|40)/;

/** True when Postgres or Redis did not answer, or not in their language, as opposed to a mistake of ours: the caller may try again. */
export function isUnavailable(error: unknown): boolean {
  let fromStore = false;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as { code?: unknown };
    if (typeof code === "string" && /^[0-9A-Z]{5}$/.test(code)) return TRANSIENT_STATES.test(code);
    fromStore ||=
      STORE_ERRORS.has(cause.name) ||
      /network connection lost|fetch failed|internal error; reference/i.test(cause.message);
  }
  return fromStore;
}
