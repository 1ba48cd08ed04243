import { rotatedCookies } from "../../auth/cookie-rotation.ts";
import { AppError } from "../../platform/errors.ts";
import { clientAddress } from "../../platform/http.ts";
import { parseObject } from "../../platform/json.ts";
import { errorFields } from "../../platform/log.ts";
import type { PageContext, WebDeps } from "./deps.ts";

/** An answer of Better Auth. Its headers and texts are not passed on; only its cookies go to the browser. */
export interface AuthAnswer {
  status: number;
  body: Readonly<Record<string, unknown>>;
  /** Better Auth's error code, or the OAuth error code, or "". */
  code: string;
  /** Seconds to wait after a 429. */
  retryAfter: number;
}

const DEFAULT_WAIT_SECONDS = 10;

/**
 * Sends Better Auth a request on behalf of the browser, through its own rate limiter and origin check. A request with a
 * body is a POST. Cookies that Better Auth sets are forwarded. Throws AppError "unavailable" when the request fails.
 */
export async function requestAuth(
  c: PageContext,
  deps: Pick<WebDeps, "config" | "auth">,
  path: `/${string}`,
  body?: Readonly<Record<string, unknown>>,
): Promise<AuthAnswer> {
  const headers = new Headers({ origin: deps.config.BASE_URL, accept: "application/json" });
  const cookies = c.req.header("cookie");
  if (cookies !== undefined) headers.set("cookie", await rotatedCookies(cookies, deps.config.BETTER_AUTH_SECRETS));
  copy(headers, "user-agent", c.req.header("user-agent"));
  copy(headers, "cf-connecting-ip", clientAddress(c.req.raw.headers));
  if (body) headers.set("content-type", "application/json");
  const init = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
  const request = new Request(`${deps.config.BASE_URL}/api/auth${path}`, init);
  const answer = await send(deps, request, c.get("requestId"));
  for (const cookie of answer.headers.getSetCookie()) c.header("set-cookie", cookie, { append: true });
  const answered = parseObject(await answer.text()) ?? {};
  return {
    status: answer.status,
    body: answered,
    code: textOf(answered, "code") ?? textOf(answered, "error") ?? "",
    retryAfter: waitSeconds(answer.headers.get("x-retry-after")),
  };
}

async function send({ auth }: Pick<WebDeps, "auth">, request: Request, requestId: string): Promise<Response> {
  const { pathname } = new URL(request.url);
  let answer: Response;
  try {
    answer = await (await auth()).handler(request, requestId);
  } catch (error) {
    throw unavailable(`${pathname} failed: ${JSON.stringify(errorFields(error))}`);
  }
  if (answer.status >= 500) throw unavailable(`${pathname} answered ${answer.status}`);
  return answer;
}

const unavailable = (internal: string) =>
  new AppError("unavailable", "The gateway cannot do this right now. Try again in a minute.", {
    internal,
    headers: { "retry-after": "30" },
  });

function copy(headers: Headers, name: string, value: string | null | undefined): void {
  if (value !== null && value !== undefined) headers.set(name, value);
}

function waitSeconds(header: string | null): number {
  const seconds = Number(header);
  return Number.isInteger(seconds) && seconds > 0 && seconds <= 86_400 ? seconds : DEFAULT_WAIT_SECONDS;
}

/** A string member of an answer, or undefined. */
export function textOf(body: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = body[name];
  return typeof value === "string" ? value : undefined;
}
