import type { RegistrationPolicy } from "../platform/settings.ts";

/** Registration fields (RFC 7591 §2) that a stranger may set. Everything else, trust flags above all, is dropped. */
const FIELDS = [
  "redirect_uris",
  "token_endpoint_auth_method",
  "grant_types",
  "response_types",
  "client_name",
  "client_uri",
  "logo_uri",
  "scope",
  "contacts",
  "tos_uri",
  "policy_uri",
  "software_id",
  "software_version",
  "application_type",
] as const;

/** Fields that name a page of the client (RFC 7591 §2). One that is no web page is left out, in case somebody makes a link of it. */
const LINKS = ["client_uri", "logo_uri", "tos_uri", "policy_uri"] as const;

/** Private-use schemes of well-known editors, which Better Auth refuses because they are no reversed domains (RFC 8252 §7.1). */
const EDITOR_REDIRECT =
  /^(cursor:\/\/anysphere\.cursor-(mcp|retrieval)\/oauth\/|(vscode|vscode-insiders):\/\/[a-z0-9.-]+\/|windsurf:\/\/[a-z0-9.-]+\/)[A-Za-z0-9/._~-]{0,200}$/;
const LOOPBACK_REDIRECT = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?([/?]|$)/;
/** Stands in for an editor's address while Better Auth checks the rest; no client can receive anything there. */
const PLACEHOLDER = "com.example.placeholder:/callback";

/** A registration in the form in which Better Auth takes it, and the redirect URIs to set back afterwards. */
export interface CompatibleRegistration {
  body: Record<string, unknown>;
  /** Undefined when Better Auth can keep the list as it is. */
  redirectUris: string[] | undefined;
}

/**
 * Makes the registrations that MCP clients really send acceptable: no `application_type` beside loopback redirects, editors' own
 * schemes, no authentication method. Only form is changed; what is dangerous stays refused by Better Auth's checks.
 */
export function compatibleRegistration(
  request: Readonly<Record<string, unknown>>,
  policy: RegistrationPolicy,
): CompatibleRegistration | { error: "invalid_redirect_uri" | "invalid_client_metadata"; description: string } {
  const body: Record<string, unknown> = {};
  for (const field of FIELDS) if (Object.hasOwn(request, field)) body[field] = request[field];
  for (const field of LINKS) if (!isWebPage(body[field])) delete body[field];
  const uris = body["redirect_uris"];
  if (!Array.isArray(uris) || uris.length === 0 || !uris.every((uri) => typeof uri === "string")) {
    return { error: "invalid_redirect_uri", description: "redirect_uris must be a list of at least one URI." };
  }
  if (uris.length > 20) return { error: "invalid_redirect_uri", description: "At most 20 redirect_uris." };
  const foreign = policy.kind === "hosts" ? uris.find((uri) => !isOfHosts(uri, policy.hosts)) : undefined;
  if (foreign !== undefined) {
    return {
      error: "invalid_redirect_uri",
      description: "This gateway registers clients of certain hosts only; ask its administrator.",
    };
  }
  body["token_endpoint_auth_method"] ??= "none";
  const editors = uris.filter((uri) => EDITOR_REDIRECT.test(uri));
  const others = uris.filter((uri) => !EDITOR_REDIRECT.test(uri));
  if (
    body["application_type"] === undefined &&
    (editors.length > 0 || others.some((uri) => LOOPBACK_REDIRECT.test(uri)))
  ) {
    body["application_type"] = "native";
  }
  if (editors.length === 0) return { body, redirectUris: undefined };
  body["redirect_uris"] = others.length > 0 ? others : [PLACEHOLDER];
  return { body, redirectUris: uris };
}

const isWebPage = (text: unknown) => typeof text === "string" && /^https?:$/.test(URL.parse(text)?.protocol ?? "");

function isOfHosts(uri: string, hosts: readonly string[]): boolean {
  if (LOOPBACK_REDIRECT.test(uri) || EDITOR_REDIRECT.test(uri)) return true;
  const url = URL.parse(uri);
  return url?.protocol === "https:" && hosts.includes(url.hostname);
}
