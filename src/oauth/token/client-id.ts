import { decodeJwt } from "jose";

/**
 * The client that a request to an OAuth endpoint says it comes from: by what it authenticates with, HTTP Basic or an assertion (RFC 7523
 * §3), before what the form names. Whether it is that client is the framework's to check.
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
