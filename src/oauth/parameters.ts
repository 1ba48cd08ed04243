import { canonicalResource } from "../identity/resources.ts";
import { MINIMAL_SCOPES } from "../identity/scopes.ts";

/** What a client gets that names no scope (RFC 6749 §3.3): the least, and to stay connected. Better Auth would give all it may ask for. */
const DEFAULT_SCOPES: readonly string[] = [...MINIMAL_SCOPES, "offline_access"];
/** Client authentication included. For whom the request is, the person at the page decides. */
const DEVICE_PARAMETERS = [
  "client_id",
  "client_secret",
  "client_assertion",
  "client_assertion_type",
  "scope",
  "resource",
];
/** The SHA-256 of a verifier in base64url (RFC 7636 §4.2). */
const S256_CHALLENGE = /^[\w-]{43}$/;

/**
 * An authorization request in the form in which Better Auth judges it well: with the resource that is meant, each scope once, and an
 * ill-formed challenge made one that it refuses. `offered` are the scopes of this deployment.
 */
export function authorizationParameters(text: string, origin: string, offered: readonly string[] | undefined): string {
  const parameters = new URLSearchParams(text);
  setResourceMeant(parameters, origin);
  // A parameter given twice is an error, and Better Auth's to report.
  if (parameters.getAll("scope").length <= 1) setScopes(parameters, offered);
  const challenge = parameters.get("code_challenge");
  // Without a method it is refused at the client; taken away altogether it could pass for a request without PKCE.
  if (challenge !== null && !S256_CHALLENGE.test(challenge)) parameters.delete("code_challenge_method");
  return parameters.toString();
}

/**
 * A device authorization request (RFC 8628 §3.1) with the resource and the scopes that are meant, and nothing beside what a client may say;
 * or what is wrong with it.
 */
export function deviceParameters(
  text: string,
  origin: string,
  offered: readonly string[] | undefined,
): string | { error: "invalid_request" | "invalid_target"; description: string } {
  const parameters = new URLSearchParams(text);
  if (hasRepeated(parameters)) return { error: "invalid_request", description: "Give each parameter once." };
  if (parameters.getAll("resource").length > 1)
    return { error: "invalid_target", description: "Name one resource: a token is for one server of this gateway." };
  for (const name of new Set(parameters.keys())) if (!DEVICE_PARAMETERS.includes(name)) parameters.delete(name);
  setResourceMeant(parameters, origin);
  setScopes(parameters, offered);
  return parameters.toString();
}

function setResourceMeant(parameters: URLSearchParams, origin: string): void {
  if (!parameters.has("resource")) parameters.set("resource", canonicalResource(undefined, origin));
  else setCanonicalResources(parameters, origin);
}

/** Each scope once, or the default ones that are `offered` when none is named. */
function setScopes(parameters: URLSearchParams, offered: readonly string[] | undefined): void {
  const named = new Set(
    parameters
      .get("scope")
      ?.split(" ")
      .filter((scope) => scope !== ""),
  );
  const scopes = named.size > 0 ? [...named] : DEFAULT_SCOPES.filter((scope) => offered?.includes(scope) ?? true);
  parameters.set("scope", scopes.join(" "));
}

/** A token request whose `resource`, if any, is in canonical form. */
export function tokenParameters(text: string, origin: string): string {
  const parameters = new URLSearchParams(text);
  if (!parameters.has("resource")) return text;
  setCanonicalResources(parameters, origin);
  return parameters.toString();
}

/** True when a parameter stands twice: two readers could take different ones. Only `resource` may (RFC 8707 §2). */
export function hasRepeated(parameters: URLSearchParams): boolean {
  const names = [...parameters.keys()].filter((name) => name !== "resource");
  return new Set(names).size !== names.length;
}

function setCanonicalResources(parameters: URLSearchParams, origin: string): void {
  const named = parameters.getAll("resource");
  parameters.delete("resource");
  for (const resource of named) parameters.append("resource", canonicalResource(resource, origin));
}
