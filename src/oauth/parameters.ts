import { canonicalResource } from "../identity/resources.ts";
import { ALL_SCOPES, MINIMAL_SCOPES } from "../identity/scopes.ts";

/**
 * The default scopes (RFC 6749 §3.3): the minimal ones and `offline_access`. Better Auth would grant all that the
 * client may request.
 */
const DEFAULT_SCOPES: readonly string[] = [...MINIMAL_SCOPES, "offline_access"];
/** Includes client authentication. The organization is not a parameter: the person chooses it on the page. */
const DEVICE_PARAMETERS = [
  "client_id",
  "client_secret",
  "client_assertion",
  "client_assertion_type",
  "scope",
  "resource",
];
/** An empty one is kept, and refused as ill-formed: taken for absent it would turn PKCE off. */
const CHALLENGE = "code_challenge";
/** The SHA-256 of a verifier in base64url (RFC 7636 §4.2). */
const S256_CHALLENGE = /^[\w-]{43}$/;

/**
 * The parameters of a request to an OAuth endpoint. A parameter without a value counts as absent (RFC 6749 §3.1, §3.2):
 * many clients send every field of a form, whether or not it has a value.
 */
export const givenParameters = (text: string): URLSearchParams =>
  new URLSearchParams([...new URLSearchParams(text)].filter(([name, value]) => value !== "" || name === CHALLENGE));

/**
 * Normalizes an authorization request for Better Auth: sets the resource, removes repeated scopes, and changes an
 * ill-formed challenge so that Better Auth refuses it. `offered` are the scopes of this deployment.
 */
export function authorizationParameters(text: string, origin: string, offered: readonly string[] | undefined): string {
  const parameters = givenParameters(text);
  setResourceMeant(parameters, origin);
  // A repeated parameter is an error that Better Auth reports.
  if (parameters.getAll("scope").length <= 1) setScopes(parameters, offered);
  const challenge = parameters.get(CHALLENGE);
  // Without a method, Better Auth refuses it with an error to the client. Without the challenge, it could pass as a
  // request without PKCE.
  if (challenge !== null && !S256_CHALLENGE.test(challenge)) parameters.delete("code_challenge_method");
  return parameters.toString();
}

/**
 * Normalizes a device authorization request (RFC 8628 §3.1): sets the resource and the scopes, and removes parameters
 * that are not a client's to send. Returns an error when the request is wrong.
 */
export function deviceParameters(
  text: string,
  origin: string,
  offered: readonly string[] | undefined,
): string | { error: "invalid_request" | "invalid_target"; description: string } {
  const parameters = givenParameters(text);
  if (hasRepeated(parameters)) return { error: "invalid_request", description: "Give each parameter once." };
  if (parameters.getAll("resource").length > 1)
    return { error: "invalid_target", description: "Name one resource. A token is for one server of this gateway." };
  for (const name of new Set(parameters.keys())) if (!DEVICE_PARAMETERS.includes(name)) parameters.delete(name);
  setResourceMeant(parameters, origin);
  setScopes(parameters, offered);
  return parameters.toString();
}

function setResourceMeant(parameters: URLSearchParams, origin: string): void {
  if (!parameters.has("resource")) parameters.set("resource", canonicalResource(undefined, origin));
  else setCanonicalResources(parameters, origin);
}

/**
 * Removes repeated scopes and those that this deployment does not have: a server may grant less than was asked for and
 * says what it granted (RFC 6749 §3.3). A request for unknown scopes only is left as it is, and is refused later. When
 * no scope is named, sets the default ones.
 */
function setScopes(parameters: URLSearchParams, offered: readonly string[] = ALL_SCOPES): void {
  const named = new Set((parameters.get("scope") ?? "").split(" ").filter((scope) => scope !== ""));
  const known = [...named].filter((scope) => offered.includes(scope));
  const scopes = named.size > 0 ? [...named] : DEFAULT_SCOPES.filter((scope) => offered.includes(scope));
  parameters.set("scope", (known.length > 0 ? known : scopes).join(" "));
}

/** The parameters of a token request, with `resource`, if there is one, in canonical form. */
export function tokenParameters(text: string, origin: string): URLSearchParams {
  const parameters = givenParameters(text);
  if (parameters.has("resource")) setCanonicalResources(parameters, origin);
  return parameters;
}

/** Whether a parameter other than `resource` (RFC 8707 §2) is repeated: two readers could use different values. */
export function hasRepeated(parameters: URLSearchParams): boolean {
  const names = [...parameters.keys()].filter((name) => name !== "resource");
  return new Set(names).size !== names.length;
}

function setCanonicalResources(parameters: URLSearchParams, origin: string): void {
  const named = parameters.getAll("resource");
  parameters.delete("resource");
  for (const resource of named) parameters.append("resource", canonicalResource(resource, origin));
}
