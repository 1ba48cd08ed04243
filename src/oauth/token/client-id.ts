import { decodeJwt } from "jose";

/**
 * The client id that a request to an OAuth endpoint names: from its authentication (HTTP Basic or an assertion, RFC
 * 7523 §3) if it has one, otherwise from the form. The framework checks that the request is from this client.
 */
export function presentedClientId(form: URLSearchParams, authorization: string | undefined): string | null {
  return basicUser(authorization) ?? assertedSubject(form.get("client_assertion")) ?? form.get("client_id");
}

function assertedSubject(assertion: string | null): string | null {
  try {
    return assertion === null ? null : (decodeJwt(assertion).sub ?? null);
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
