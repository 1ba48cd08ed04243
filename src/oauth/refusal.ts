import { AUTH_PAGES } from "../identity/pages.ts";
import { oauthError } from "./answers.ts";

/**
 * Refusals that Better Auth reports as a bad request and RFC 6749 §5.2 and RFC 7636 §4.6 as an invalid grant: the
 * client must sign in again.
 */
const INVALID_GRANT = new Set([
  "code verification failed",
  "code_verifier required because PKCE was used in authorization",
  "code_verifier provided but PKCE was not used in authorization",
  "missing user, user may have been deleted",
  "session no longer exists",
  "user not found",
]);

/**
 * Turns a refusal of the framework into an error of RFC 6749 §5.2. Its rate limiter and its media type check answer
 * otherwise.
 */
export async function inOAuthTerms(answer: Response): Promise<Response> {
  if (answer.status < 400) return answer;
  const { error, error_description: description, message } = await inRefusal(answer);
  if (error === undefined) {
    const { status, headers } = answer;
    const retryAfter = headers.get("retry-after");
    return oauthError(
      status,
      status === 429 ? "temporarily_unavailable" : "invalid_request",
      message ?? "The request was refused.",
      retryAfter === null ? {} : { "retry-after": retryAfter },
    );
  }
  if (description === undefined || !INVALID_GRANT.has(description)) return answer;
  return oauthError(400, "invalid_grant", `This authorization is no longer valid: ${description}. Sign in again.`);
}

/**
 * For an unknown client at the authorization endpoint: a redirect to our error page, for the person, instead of JSON.
 * The client is not told, because its redirect URI is unknown (RFC 6749 §4.1.2.1).
 */
export async function asPage(answer: Response, origin: string): Promise<Response> {
  if (answer.status !== 400) return answer;
  const { error } = await inRefusal(answer);
  if (error !== "invalid_client") return answer;
  const page = `${origin}${AUTH_PAGES.error}?${new URLSearchParams({ error }).toString()}`;
  return new Response(null, { status: 302, headers: { location: page, "cache-control": "no-store" } });
}

/** The texts of a refusal of an OAuth endpoint, by name. The answer can still be read afterwards. */
export async function inRefusal(answer: Response): Promise<Partial<Record<string, string>>> {
  try {
    const fields: unknown = await answer.clone().json();
    const texts = Object.entries(fields ?? {}).filter(([, value]) => typeof value === "string");
    return Object.fromEntries(texts) as Record<string, string>;
  } catch {
    return {};
  }
}
