import { DEVICE_GRANT } from "../grants/grant-id.ts";
import { EDITOR_REDIRECT, REVERSED_DOMAIN_REDIRECT } from "../grants/clients/redirect-uris.ts";
import type { RegistrationPolicy } from "../platform/settings.ts";
import { oauthError } from "./answers.ts";

/**
 * Registration fields (RFC 7591 §2) that an unauthenticated caller may set. All others, trust flags above all, are
 * dropped.
 */
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
  "dpop_bound_access_tokens",
] as const;

/**
 * Fields that hold a page of the client (RFC 7591 §2). A value that is not a web address is dropped, because a page may
 * link to it.
 */
const LINKS = ["client_uri", "logo_uri", "tos_uri", "policy_uri"] as const;

const LOOPBACK_REDIRECT = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?([/?]|$)/;
/** Stands in for an editor's redirect URI while Better Auth checks the rest. No client can receive anything there. */
const PLACEHOLDER = "com.example.placeholder:/callback";

/** A registration in the form that Better Auth accepts, and the redirect URIs to restore afterwards. */
export interface CompatibleRegistration {
  body: Record<string, unknown>;
  /** Undefined when Better Auth can store the list as it is. */
  redirectUris: string[] | undefined;
}

/**
 * Makes registrations as real MCP clients send them acceptable to Better Auth: loopback redirects without
 * `application_type`, editors' own schemes, no authentication method. Changes only the form; Better Auth's checks still
 * refuse what is dangerous.
 */
export function compatibleRegistration(
  request: Readonly<Record<string, unknown>>,
  policy: RegistrationPolicy,
): CompatibleRegistration | { error: "invalid_redirect_uri" | "invalid_client_metadata"; description: string } {
  const body: Record<string, unknown> = {};
  for (const field of FIELDS)
    if (Object.hasOwn(request, field) && !isEmpty(request[field])) body[field] = request[field];
  for (const field of LINKS) if (!isWebPage(body[field])) delete body[field];
  const device = wantsDeviceGrant(body["grant_types"]);
  if (device !== undefined && policy.kind === "hosts") {
    return {
      error: "invalid_client_metadata",
      description: "On this gateway only an administrator can register clients for devices. Ask your administrator.",
    };
  }
  // A device has no redirect URI (RFC 8628 §1).
  const uris = body["redirect_uris"] ?? [];
  if (device === "alone" && Array.isArray(uris) && uris.length === 0) {
    delete body["redirect_uris"];
    body["token_endpoint_auth_method"] ??= "none";
    return { body, redirectUris: undefined };
  }
  if (!Array.isArray(uris) || uris.length === 0 || !uris.every((uri) => typeof uri === "string")) {
    return { error: "invalid_redirect_uri", description: "redirect_uris must be a list of at least one URI." };
  }
  if (uris.length > 20) return { error: "invalid_redirect_uri", description: "Send at most 20 redirect_uris." };
  const foreign = policy.kind === "hosts" ? uris.find((uri) => !isOfHosts(uri, policy.hosts)) : undefined;
  if (foreign !== undefined) {
    return {
      error: "invalid_redirect_uri",
      description: "This gateway registers clients of certain hosts only. Ask its administrator.",
    };
  }
  body["token_endpoint_auth_method"] ??= "none";
  // The default of RFC 7591 is the code alone, but clients that send no grant_types refresh their tokens, too.
  body["grant_types"] ??= ["authorization_code", "refresh_token"];
  const editors = uris.filter((uri) => EDITOR_REDIRECT.test(uri));
  const others = uris.filter((uri) => !EDITOR_REDIRECT.test(uri));
  if (
    body["application_type"] === undefined &&
    (editors.length > 0 || others.some((uri) => LOOPBACK_REDIRECT.test(uri) || REVERSED_DOMAIN_REDIRECT.test(uri)))
  ) {
    body["application_type"] = "native";
  }
  if (editors.length === 0) return { body, redirectUris: undefined };
  body["redirect_uris"] = others.length > 0 ? others : [PLACEHOLDER];
  return { body, redirectUris: uris };
}

/** Whether a client wants the device grant; `alone` when it does not want the authorization code as well. */
function wantsDeviceGrant(grantTypes: unknown): "alone" | "too" | undefined {
  if (!Array.isArray(grantTypes) || !grantTypes.includes(DEVICE_GRANT)) return undefined;
  return grantTypes.includes("authorization_code") ? "too" : "alone";
}

/** Clients send null, empty text and empty lists for what they do not say (RFC 7591 §2: absent means the default). */
const isEmpty = (value: unknown) => value === null || value === "" || (Array.isArray(value) && value.length === 0);

const isWebPage = (text: unknown) => typeof text === "string" && /^https?:$/.test(URL.parse(text)?.protocol ?? "");

function isOfHosts(uri: string, hosts: readonly string[]): boolean {
  if (LOOPBACK_REDIRECT.test(uri) || EDITOR_REDIRECT.test(uri)) return true;
  const url = URL.parse(uri);
  return url?.protocol === "https:" && hosts.includes(url.hostname);
}

/** The answer when the daily limit of registrations is reached. */
export const tooManyRegistrations = () =>
  oauthError(429, "temporarily_unavailable", "Too many clients were registered today. Try again later.", {
    "retry-after": "3600",
  });
