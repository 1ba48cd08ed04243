/** Every scope of this product, with the text that people read when they are asked to grant it. */
export const SCOPES = {
  openid: "Confirm who you are",
  profile: "See your name",
  email: "See your email address",
  offline_access: "Stay connected until you disconnect it",
  "mcp:tools": "Use MCP tools on your behalf",
  "mcp-registry:read": "Read your MCP registry",
  "mcp-registry:write": "Publish to your MCP registry",
  "keys:read": "View API keys (not their secret values)",
  "keys:write": "Create, change and revoke your API keys",
  "keys:verify": "Check whether an API key is valid",
  "audit:read": "Read the audit log of your organization",
  admin: "Administer this gateway",
} as const;

export type Scope = keyof typeof SCOPES;

export const ALL_SCOPES = Object.keys(SCOPES) as readonly Scope[];

/** What a client needs for tool calls. Named in the 401 challenge and in the protected resource metadata. */
export const MINIMAL_SCOPES = ["mcp:tools"] as const satisfies readonly Scope[];

const IDENTITY_SCOPES: readonly string[] = ["openid", "profile", "email", "offline_access"];

/** Scopes that an API key can have: those for an operation, not those of OpenID Connect. */
export const KEY_SCOPES = ALL_SCOPES.filter((scope) => !IDENTITY_SCOPES.includes(scope));

export const isScope = (text: string): text is Scope => Object.hasOwn(SCOPES, text);

/**
 * Better Auth stores a key's permissions as resource → actions: `mcp:tools` is `{"mcp": ["tools"]}`, `admin` is
 * `{"admin": ["*"]}`.
 */
export function scopesToPermissions(scopes: readonly Scope[]): Record<string, string[]> {
  const permissions: Record<string, string[]> = {};
  for (const scope of scopes) {
    const [resource = scope, action = "*"] = scope.split(":");
    (permissions[resource] ??= []).push(action);
  }
  return permissions;
}

/** The inverse of {@link scopesToPermissions}. Entries that are not scopes of this product are left out. */
export function permissionsToScopes(permissions: unknown): Scope[] {
  if (typeof permissions !== "object" || permissions === null) return [];
  const scopes: Scope[] = [];
  for (const [resource, actions] of Object.entries(permissions)) {
    if (!Array.isArray(actions)) continue;
    for (const action of actions) {
      if (typeof action !== "string") continue;
      const scope = action === "*" ? resource : `${resource}:${action}`;
      if (isScope(scope)) scopes.push(scope);
    }
  }
  return scopes;
}
