import type { Context } from "hono";
import { routePath } from "hono/route";
import { AppError, ERROR_STATUS, isUnavailable, type ErrorCode } from "../platform/errors.ts";
import { errorFields, type Log, type LogFields } from "../platform/log.ts";
import type { HttpEnv } from "../platform/http.ts";

/** How a request that failed with an error is answered. Each plane renders it in its own format. */
export interface Failure {
  code: ErrorCode;
  status: (typeof ERROR_STATUS)[ErrorCode];
  /** The text for the caller: what was wrong and what to do. It reveals nothing of the cause. */
  text: string;
  headers: Readonly<Record<string, string>>;
  /** Further members of problem details. */
  members: Readonly<Record<string, unknown>>;
  /** The log line; undefined for a refusal that is not logged. */
  line: { level: "warn" | "error"; what: "refused" | "unavailable" | "failed"; fields: LogFields } | undefined;
}

const RETRY_SECONDS = "2";

/** The answer to a thrown value: one of our refusals, a store that does not answer, or a bug. */
export function failureOf(error: unknown): Failure {
  if (error instanceof AppError) {
    const { code, message: text, headers, members, internal } = error;
    const line =
      internal === undefined ? undefined : ({ level: "warn", what: "refused", fields: { internal } } as const);
    return { code, status: ERROR_STATUS[code], text, headers, members, line };
  }
  const fields = errorFields(error);
  if (isUnavailable(error))
    return {
      ...plain("unavailable", "The gateway is temporarily unable to do this. Try again shortly."),
      headers: { "retry-after": RETRY_SECONDS },
      line: { level: "error", what: "unavailable", fields },
    };
  return {
    ...plain("internal", "The gateway failed to answer. Report the request id to its operator."),
    line: { level: "error", what: "failed", fields },
  };
}

const plain = (code: ErrorCode, text: string) => ({ code, status: ERROR_STATUS[code], text, headers: {}, members: {} });

/**
 * {@link failureOf}, and writes its log line under the name of the plane. The line has the route's pattern
 * (`/r/:secret/v0.1/servers`), never the URL, which may contain the secret of a private view or of an invitation.
 */
export function reportFailure<Env extends HttpEnv>(log: Log, plane: string, c: Context<Env>, error: unknown): Failure {
  const failure = failureOf(error);
  const { line } = failure;
  if (line)
    log(line.level, `${plane}.${line.what}`, { requestId: c.get("requestId"), route: routePath(c), ...line.fields });
  return failure;
}
