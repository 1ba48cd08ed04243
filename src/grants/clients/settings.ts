import { clientKeysProblem, type ClientKeys } from "./keys.ts";
import type { AuthMethod } from "./managed-client.ts";
import { isHttps, redirectUriProblem } from "./redirect-uris.ts";
import { isResource } from "../../identity/resources.ts";
import type { Scope } from "../../identity/scopes.ts";

/** How a client can get tokens (RFC 6749 §1.3, RFC 8628). */
export const GRANT_TYPES = [
  "authorization_code",
  "refresh_token",
  "client_credentials",
  "urn:ietf:params:oauth:grant-type:device_code",
] as const;

export type GrantType = (typeof GRANT_TYPES)[number];

/** The settings of a client, chosen by an administrator. */
export interface ClientSettings {
  name: string;
  authMethod: AuthMethod;
  /** For `private_key_jwt`. */
  jwks: ClientKeys | null;
  redirectUris: string[];
  grantTypes: GrantType[];
  /** The scopes that people can grant to it, at most. */
  scopes: Scope[];
  /** The scopes that it can get for itself, without a person. */
  clientCredentialsScopes: Scope[];
  /** The tenant that it acts in for itself. */
  tenantId: string | null;
  /** Resources of this gateway whose tokens it may introspect. */
  resources: string[];
  /** People are not asked for consent. */
  trusted: boolean;
  disabled: boolean;
}

/** Scopes that are about a person. */
const PERSONAL_SCOPES: readonly Scope[] = ["openid", "profile", "email", "offline_access"];
const FOR_PEOPLE: readonly GrantType[] = ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"];

/** What an administrator has to change in these settings, starting with the setting's name; undefined when nothing. */
export async function settingsProblem(
  settings: ClientSettings,
  { origin, offered }: { origin: string; offered: readonly string[] },
): Promise<string | undefined> {
  return (
    redirectProblem(settings) ??
    machineProblem(settings) ??
    scopeProblem(settings, offered) ??
    resourceProblem(settings, origin) ??
    (await keysProblem(settings))
  );
}

function redirectProblem({ grantTypes, redirectUris, trusted, authMethod }: ClientSettings): string | undefined {
  for (const uri of redirectUris) {
    const problem = redirectUriProblem(uri);
    if (problem !== undefined) return `redirectUris: ${JSON.stringify(uri.slice(0, 200))} ${problem}`;
  }
  if (grantTypes.includes("authorization_code") !== redirectUris.length > 0)
    return "redirectUris: required with the grant type authorization_code, and not allowed without it";
  if (grantTypes.includes("refresh_token") && !grantTypes.some((type) => FOR_PEOPLE.includes(type)))
    return "grantTypes: refresh_token needs authorization_code or the device grant";
  // Anybody can pose as a public client or listen on a loopback port. There, only the consent page protects the person.
  if (trusted && (authMethod === "none" || redirectUris.length === 0 || !redirectUris.every(isHttps)))
    return "trusted: only for confidential clients whose redirect URIs are all https";
  return undefined;
}

function machineProblem({ grantTypes, clientCredentialsScopes, tenantId, authMethod }: ClientSettings) {
  const isMachine = grantTypes.includes("client_credentials");
  if (isMachine !== clientCredentialsScopes.length > 0)
    return "clientCredentialsScopes: required with the grant type client_credentials, and not allowed without it";
  if (isMachine && authMethod === "none") return "authMethod: client_credentials is for confidential clients";
  if (isMachine && tenantId === null)
    return "tenantId: client_credentials needs the organization that the client acts in";
  const unfit = clientCredentialsScopes.find((scope) => scope === "admin" || PERSONAL_SCOPES.includes(scope));
  return unfit && `clientCredentialsScopes: ${unfit} is a scope for people only`;
}

function scopeProblem({ scopes, clientCredentialsScopes }: ClientSettings, offered: readonly string[]) {
  const unknown = [...scopes, ...clientCredentialsScopes].find((scope) => !offered.includes(scope));
  return unknown && `scopes: this gateway does not offer ${unknown}`;
}

function resourceProblem({ resources, authMethod, grantTypes }: ClientSettings, origin: string): string | undefined {
  const foreign = resources.find((resource) => !isResource(resource, origin));
  if (foreign !== undefined)
    return `resources: ${JSON.stringify(foreign.slice(0, 200))} is not ${origin}/mcp or ${origin}/mcp/{slug}`;
  if (resources.length > 0 && authMethod === "none") return "authMethod: introspection is for confidential clients";
  if (resources.length === 0 && grantTypes.length === 0)
    return "grantTypes: this client could do nothing. Give it redirectUris, clientCredentialsScopes or resources";
  return undefined;
}

async function keysProblem({ jwks, authMethod }: ClientSettings): Promise<string | undefined> {
  if ((jwks !== null) !== (authMethod === "private_key_jwt"))
    return "jwks: required with the method private_key_jwt, and not allowed without it";
  const problem = jwks && (await clientKeysProblem(jwks));
  return problem ? `jwks: ${problem}` : undefined;
}

/** Whether the client loses a right or key that its current tokens depend on, so that they must end. */
export function endsTokens(before: ClientSettings, after: ClientSettings): boolean {
  if (after.disabled && !before.disabled) return true;
  const rights = ({ jwks, grantTypes, scopes, clientCredentialsScopes, tenantId }: ClientSettings) =>
    JSON.stringify([jwks, grantTypes, scopes, clientCredentialsScopes, tenantId]);
  return rights(before) !== rights(after);
}
