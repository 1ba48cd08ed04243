import { decodeJwt } from "jose";
import { oauthError } from "../answers.ts";

/**
 * The client id that a request to an OAuth endpoint names: from its authentication (HTTP Basic or an assertion, RFC
 * 7523 §3) if it has one, otherwise from the form. The framework checks that the request is from this client.
 */
export function presentedClientId(form: URLSearchParams, authorization: string | undefined): string | null {
  return basicUser(authorization) ?? assertedSubject(form.get("client_assertion")) ?? form.get("client_id");
}

/**
 * Refuses a request whose client id cannot be one: Postgres has no text with a NUL, so a question about it would fail
 * as if the fault were ours. Undefined when the id is usable or absent.
 */
export function clientIdRefusal(form: URLSearchParams, authorization: string | undefined): Response | undefined {
  const challenge: Record<string, string> = authorization === undefined ? {} : { "www-authenticate": "Basic" };
  return presentedClientId(form, authorization)?.includes("\0")
    ? oauthError(401, "invalid_client", "The client id holds a NUL character.", challenge)
    : undefined;
}

function assertedSubject(assertion: string | null): string | null {
  try {
    const subject: unknown = assertion === null ? null : decodeJwt(assertion).sub;
    return typeof subject === "string" ? subject : null;
  } catch {
    return null;
  }
}

/** The client id of HTTP Basic authentication (RFC 6749 §2.3.1: form-encoded, then base64). */
function basicUser(authorization: string | undefined): string | null {
  const [, encoded] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) return null;
  try {
    return decodeURIComponent(atob(encoded).split(":")[0] ?? "");
  } catch {
    return null;
  }
}
