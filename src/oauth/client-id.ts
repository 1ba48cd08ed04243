/**
 * The client that a request to an OAuth endpoint says it comes from, by form or HTTP Basic. Null when it names itself in an assertion,
 * which only the framework reads. Whether it is that client is the framework's to check.
 */
export function presentedClientId(form: URLSearchParams, authorization: string | undefined): string | null {
  return form.get("client_id") ?? basicUser(authorization);
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
