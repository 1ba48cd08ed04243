import { DEVICE_GRANT } from "../grants/grant-id.ts";
import { EDITOR_REDIRECT } from "../grants/clients/redirect-uris.ts";
import type { RegistrationPolicy } from "../platform/settings.ts";
import { oauthError } from "./answers.ts";

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
  "dpop_bound_access_tokens",
] as const;

/** Fields that name a page of the client (RFC 7591 §2). One that is no web page is left out, in case somebody makes a link of it. */
const LINKS = ["client_uri", "logo_uri", "tos_uri", "policy_uri"] as const;

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
  const device = wantsDeviceGrant(body["grant_types"]);
  if (device !== undefined && policy.kind === "hosts") {
    return {
      error: "invalid_client_metadata",
      description: "This gateway lets only its administrator register clients for devices.",
    };
  }
  // A device is sent nowhere (RFC 8628 §1).
  const uris = body["redirect_uris"] ?? [];
  if (device === "alone" && Array.isArray(uris) && uris.length === 0) {
    delete body["redirect_uris"];
    body["token_endpoint_auth_method"] ??= "none";
    return { body, redirectUris: undefined };
  }
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
  // RFC 7591 says the code alone; but clients that do not say refresh their tokens all the same.
  body["grant_types"] ??= ["authorization_code", "refresh_token"];
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

/** Whether a client wants to be let in on devices, and if so whether in that way alone. */
function wantsDeviceGrant(grantTypes: unknown): "alone" | "too" | undefined {
  if (!Array.isArray(grantTypes) || !grantTypes.includes(DEVICE_GRANT)) return undefined;
  return grantTypes.includes("authorization_code") ? "too" : "alone";
}

const isWebPage = (text: unknown) => typeof text === "string" && /^https?:$/.test(URL.parse(text)?.protocol ?? "");

function isOfHosts(uri: string, hosts: readonly string[]): boolean {
  if (LOOPBACK_REDIRECT.test(uri) || EDITOR_REDIRECT.test(uri)) return true;
  const url = URL.parse(uri);
  return url?.protocol === "https:" && hosts.includes(url.hostname);
}

/** The answer when strangers have registered as many clients as a day allows. */
export const tooManyRegistrations = () =>
  oauthError(429, "temporarily_unavailable", "Too many clients were registered today. Try again later.", {
    "retry-after": "3600",
  });
