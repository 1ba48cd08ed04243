import { clientKeysProblem, type ClientKeys } from "./keys.ts";
import type { AuthMethod } from "./managed-client.ts";
import { isHttps, redirectUriProblem } from "./redirect-uris.ts";
import { isResource } from "../../identity/resources.ts";
import type { Scope } from "../../identity/scopes.ts";

/** How a client can come to tokens (RFC 6749 §1.3, RFC 8628). */
export const GRANT_TYPES = [
  "authorization_code",
  "refresh_token",
  "client_credentials",
  "urn:ietf:params:oauth:grant-type:device_code",
] as const;

export type GrantType = (typeof GRANT_TYPES)[number];

/** What an administrator decides about a client. */
export interface ClientSettings {
  name: string;
  authMethod: AuthMethod;
  /** For `private_key_jwt`. */
  jwks: ClientKeys | null;
  redirectUris: string[];
  grantTypes: GrantType[];
  /** The most that people can grant it. */
  scopes: Scope[];
  /** What it can do by itself, without a person. */
  clientCredentialsScopes: Scope[];
  /** The tenant in which it acts by itself. */
  tenantId: string | null;
  /** Resources of this gateway whose tokens it may introspect. */
  resources: string[];
  /** People are not asked for their consent. */
  trusted: boolean;
  disabled: boolean;
}

/** Scopes that speak of a person. */
const PERSONAL_SCOPES: readonly Scope[] = ["openid", "profile", "email", "offline_access"];
const FOR_PEOPLE: readonly GrantType[] = ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"];

/** What an administrator has to change before a client can be like this, naming the setting; undefined when nothing. */
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
    return "redirectUris: the grant type authorization_code needs some, and nothing else does";
  if (grantTypes.includes("refresh_token") && !grantTypes.some((type) => FOR_PEOPLE.includes(type)))
    return "grantTypes: refresh_token needs authorization_code or the device grant";
  // Anybody can pretend to be a public client, or listen at a loopback port: there the question to the person is what protects them.
  if (trusted && (authMethod === "none" || redirectUris.length === 0 || !redirectUris.every(isHttps)))
    return "trusted: only for confidential clients whose redirect URIs are all https";
  return undefined;
}

function machineProblem({ grantTypes, clientCredentialsScopes, tenantId, authMethod }: ClientSettings) {
  const isMachine = grantTypes.includes("client_credentials");
  if (isMachine !== clientCredentialsScopes.length > 0)
    return "clientCredentialsScopes: the grant type client_credentials needs some, and nothing else does";
  if (isMachine && authMethod === "none") return "authMethod: client_credentials is for confidential clients";
  if (isMachine && tenantId === null) return "tenantId: client_credentials needs the tenant in which the client acts";
  const unfit = clientCredentialsScopes.find((scope) => scope === "admin" || PERSONAL_SCOPES.includes(scope));
  return unfit && `clientCredentialsScopes: ${unfit} is for people`;
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
    return "grantTypes: this client could do nothing: give it redirectUris, clientCredentialsScopes or resources";
  return undefined;
}

async function keysProblem({ jwks, authMethod }: ClientSettings): Promise<string | undefined> {
  if ((jwks !== null) !== (authMethod === "private_key_jwt"))
    return "jwks: private_key_jwt needs public keys, and nothing else does";
  const problem = jwks && (await clientKeysProblem(jwks));
  return problem ? `jwks: ${problem}` : undefined;
}

/** True when tokens that the client holds would outlive a right or a key that it loses: they must end. */
export function endsTokens(before: ClientSettings, after: ClientSettings): boolean {
  if (after.disabled && !before.disabled) return true;
  const rights = ({ jwks, grantTypes, scopes, clientCredentialsScopes, tenantId }: ClientSettings) =>
    JSON.stringify([jwks, grantTypes, scopes, clientCredentialsScopes, tenantId]);
  return rights(before) !== rights(after);
}
